import CLibpq
import Dispatch

/// A connection to a PostgreSQL database outside of the repositories, like another process's.
///
/// `@unchecked Sendable`: libpq's connection is used on one queue only.
public final class PostgresSession: @unchecked Sendable {
  private let queue = DispatchQueue(label: "postgres-session")
  private var connection: OpaquePointer?

  /// The server has refused a statement, or the connection.
  public struct Failure: Error, CustomStringConvertible {
    /// The server's message.
    public let description: String
  }

  /// Connects to the database with this URI.
  public init(_ uri: String) async throws {
    try await run { [self] () throws(Failure) in
      connection = PQconnectdb(uri)
      guard PQstatus(connection) == CONNECTION_OK else {
        throw Failure(description: String(cString: PQerrorMessage(connection)))
      }
    }
  }

  deinit { PQfinish(connection) }

  /// Executes one or more statements, and returns the rows of the last one as texts; NULL is nil.
  @discardableResult
  public func execute(_ sql: String) async throws -> [[String?]] {
    try await run { [self] () throws(Failure) in
      let result = PQexec(connection, sql)
      defer { PQclear(result) }
      switch PQresultStatus(result) {
      case PGRES_COMMAND_OK, PGRES_TUPLES_OK: break
      default: throw Failure(description: String(cString: PQerrorMessage(connection)))
      }
      return (0..<PQntuples(result)).map { row in
        (0..<PQnfields(result)).map { column in
          PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
        }
      }
    }
  }

  /// Closes the connection.
  public func close() async {
    await withCheckedContinuation { continuation in
      queue.async { [self] in
        PQfinish(connection)
        connection = nil
        continuation.resume()
      }
    }
  }

  private func run<Value: Sendable>(
    _ body: @escaping @Sendable () throws(Failure) -> Value
  ) async throws -> Value {
    let outcome = await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: Result { () throws(Failure) in try body() }) }
    }
    return try outcome.get()
  }
}
