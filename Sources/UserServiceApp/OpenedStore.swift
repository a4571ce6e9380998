import UserStore
import UserStorePostgres
import UserStoreSQLite

/// The store of a service, opened as the configuration says.
struct OpenedStore: Sendable {
  let store: any ServiceStore
  /// The files of the database that users other than their owner may read or write.
  let exposedFiles: [String]

  /// - Throws: `StoreError` if the database cannot be used.
  init(_ configuration: ServiceConfiguration) async throws(StoreError) {
    switch try DatabaseAddress(configuration.database) {
    case .sqlite(let location):
      var settings = SQLiteUserRepository.Configuration()
      settings.busyTimeout = configuration.busyTimeout
      let repository = try SQLiteUserRepository(
        location, schema: configuration.migrates ? .migrate : .requireCurrent, configuration: settings)
      store = repository
      exposedFiles = repository.exposedFiles
    case .postgres(let address):
      var settings = PostgresUserRepository.Configuration()
      settings.busyTimeout = configuration.busyTimeout
      store = try await PostgresUserRepository(
        address, schema: configuration.migrates ? .migrate : .requireCurrent, configuration: settings)
      exposedFiles = []
    }
  }
}
