import GRDB

/// A connection to an SQLite file outside of the repositories, like another process's.
public struct OtherConnection: Sendable {
  private let queue: DatabaseQueue

  /// Opens the file.
  public init(_ path: String) throws {
    var configuration = Configuration()
    // It begins a transaction in one call and ends it in another.
    configuration.allowsUnsafeTransactions = true
    queue = try DatabaseQueue(path: path, configuration: configuration)
  }

  /// Executes one or more statements.
  public func execute(_ sql: String) async throws {
    try await queue.writeWithoutTransaction { try $0.execute(sql: sql) }
  }

  /// Returns the first column of the first row of a query; nil if that is not an integer.
  public func firstInteger(_ sql: String) async throws -> Int? {
    try await queue.writeWithoutTransaction { try Int.fetchOne($0, sql: sql) }
  }

  /// Closes the connection.
  public func close() throws {
    try queue.close()
  }
}
