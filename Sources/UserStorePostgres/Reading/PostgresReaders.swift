import NIOCore
import NIOPosix
import UserDomain

/// The connections that read: a few for each event loop, so that a call reads on the loop that it runs on, and a page does
/// not keep a look-up waiting.
final class PostgresReaders: Sendable {
  private let connections: [[PostgresConnection]]
  private let loops: [ObjectIdentifier: Int]

  /// - Parameters:
  ///   - perLoop: the connections of an event loop, at least one.
  ///   - open: makes a connection, and may take its time.
  init(
    _ group: any EventLoopGroup, perLoop: Int, limits: PostgresConnection.Limits,
    open: @escaping @Sendable () async -> Result<LibpqHandle, PostgresFailure>
  ) {
    let loops = Array(group.makeIterator())
    connections = loops.map { loop in
      (0..<max(perLoop, 1)).map { _ in PostgresConnection(on: loop, limits: limits, open: open) }
    }
    self.loops = Dictionary(
      loops.enumerated().map { (ObjectIdentifier($1), $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Connects. Returns why a connection failed, or nil.
  func start() async -> PostgresFailure? {
    await withTaskGroup(of: PostgresFailure?.self) { group in
      for connection in connections.joined() { group.addTask { await connection.start() } }
      return await group.reduce(nil) { $0 ?? $1 }
    }
  }

  /// Executes a statement that reads.
  ///
  /// - Throws: the failure; `.cancelled` if the task is cancelled while it waits.
  func read(_ command: Command, isLong: Bool = false) async throws(PostgresFailure) -> QueryResult {
    let connections = connections[currentLoop]
    // Look-ups share the first, and pages the others.
    let connection = isLong ? connections[connections.count - 1] : connections[0]
    do throws(PostgresFailure) {
      return try await connection.read(command)
    } catch  where error.isConflict {
      // It lost against a write, where the isolation level of the database is stricter than the server's default.
      return try await connection.read(command)
    }
  }

  /// Executes statements in one round trip, such as those of a transaction that reads.
  func run(_ commands: [Command]) async throws(PostgresFailure) -> [QueryResult] {
    let connections = connections[0]
    let connection = connections[connections.count - 1]
    do throws(PostgresFailure) {
      return try await connection.run(commands)
    } catch {
      // The transaction may be open, and would be that of every later read.
      if error.origin == .statement { _ = try await connection.run([WriteStatements.rollback]) }
      throw error
    }
  }

  private var currentLoop: Int {
    MultiThreadedEventLoopGroup.currentEventLoop.flatMap { loops[ObjectIdentifier($0)] } ?? 0
  }

  /// How often its connections were opened. It grows when one was lost: the server may then be another one.
  func openings() async -> Int {
    var count = 0
    for connection in connections.joined() { count += await connection.openings }
    return count
  }

  /// Closes the connections.
  func end() async {
    for connection in connections.joined() { await connection.end() }
  }
}
