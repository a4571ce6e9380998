import UserStore
import UserStoreSQLite

/// The store of a service, opened as the configuration says: the one place that chooses its engine.
struct OpenedStore: Sendable {
  let store: any ServiceStore
  /// The files of the database that users other than their owner may read or write.
  let exposedFiles: [String]

  /// - Throws: `StoreError` if the database cannot be used.
  init(_ configuration: ServiceConfiguration) throws(StoreError) {
    var settings = SQLiteUserRepository.Configuration()
    settings.busyTimeout = configuration.busyTimeout
    let repository = try SQLiteUserRepository(
      DatabaseLocation(path: configuration.database),
      schema: configuration.migrates ? .migrate : .requireCurrent, configuration: settings)
    store = repository
    exposedFiles = repository.exposedFiles
  }
}
