import GRDB
import UserStoreSQLite

/// A connection to the same file outside the repository, like another process's.
struct OtherConnection {
  private let queue: DatabaseQueue

  init(_ path: String) throws {
    var configuration = Configuration()
    // It begins a transaction in one call and ends it in another.
    configuration.allowsUnsafeTransactions = true
    queue = try DatabaseQueue(path: path, configuration: configuration)
  }

  func execute(_ sql: String) async throws {
    try await queue.writeWithoutTransaction { try $0.execute(sql: sql) }
  }

  func firstInteger(_ sql: String) async throws -> Int? {
    try await queue.writeWithoutTransaction { try Int.fetchOne($0, sql: sql) }
  }

  func close() throws {
    try queue.close()
  }
}

extension SQLiteUserRepository.Configuration {
  /// Waits for another connection's lock until the test releases it, as long as a slow machine may need.
  static var patient: Self {
    var configuration = Self()
    configuration.busyTimeout = .seconds(600)
    return configuration
  }
}
