import NIOCore
import UserDomain

/// Reads what other services have revoked, into a ``RevocationFeed``: the notes of later transactions, or everything where
/// notes may be missing.
///
/// Notes are missing after a service could not read them for an hour, and where the server is another one than before: its
/// last transactions may not be those of the one that failed, although they have the same numbers.
actor RevocationReader {
  private let readers: PostgresReaders
  private let feed: RevocationFeed
  private let eventLoop: any EventLoop
  private let limits: PostgresConnection.Limits
  private let open: @Sendable () async -> Result<LibpqHandle, PostgresFailure>
  /// The rows that one statement reads, so that the server's time limit of a statement is far.
  private let pageSize: Int
  /// How often the reading connections had been opened when everything was read last.
  private var openings = 0
  /// The read that is under way.
  private var current: Task<PostgresFailure?, Never>?
  /// The read that ``catchUp()`` is about to begin.
  private var next: Task<Void, Never>?
  /// When it may begin another one.
  private var nextStart = ContinuousClock.now
  /// The shortest time between two of them.
  private static let pause: Duration = .milliseconds(50)

  /// - Parameter open: makes a connection for one snapshot, on `eventLoop`.
  init(
    _ readers: PostgresReaders, _ feed: RevocationFeed, on eventLoop: any EventLoop,
    limits: PostgresConnection.Limits, pageSize: Int = 20_000,
    open: @escaping @Sendable () async -> Result<LibpqHandle, PostgresFailure>
  ) {
    self.readers = readers
    self.feed = feed
    self.eventLoop = eventLoop
    self.limits = limits
    self.pageSize = pageSize
    self.open = open
  }

  /// Reads all stored revocations. Nothing else is to be read at the same time.
  func load() async throws(PostgresFailure) {
    // Taken first: a connection that is lost meanwhile is noticed by the next read.
    let openings = await readers.openings()
    let mark = feed.mark
    let connection = PostgresConnection(on: eventLoop, limits: limits, open: open)
    if let failure = await connection.start() {
      await connection.end()
      throw failure
    }
    let outcome = await Result { () async throws(PostgresFailure) in try await snapshot(connection) }
    await connection.end()
    let (contents, revision) = try outcome.get()
    feed.loaded(contents, at: revision, since: mark)
    self.openings = openings
  }

  private func snapshot(
    _ connection: PostgresConnection
  ) async throws(PostgresFailure) -> (RevocationList.Contents, revision: Int64) {
    let begun = try await connection.run([
      Command(RevocationStatements.beginSnapshot), Command(RevocationStatements.revision),
    ])
    var contents = RevocationList.Contents()
    for page in RevocationStatements.pages {
      var last = UserID(high: 0, low: 0)
      var count = pageSize
      while count == pageSize {
        let rows = try await connection.read(Command(page, .id(last), .integer(Int64(pageSize))))
        contents.apply(RevocationStatements.events(rows, of: page))
        count = rows.count
        for row in 0..<count { last = max(last, rows.id(row, 0) ?? last) }
      }
    }
    _ = try await connection.run([Command(RevocationStatements.endSnapshot)])
    // Another connection would not have the snapshot.
    guard await connection.openings == 1 else { throw .lost("the connection was lost during the snapshot") }
    return (contents, begun[1].integer(0, 0))
  }

  /// Reads the notes of transactions since the last ones; all stored revocations if notes may be missing. A read that is
  /// under way is waited for instead.
  func read() async throws(PostgresFailure) {
    let task = current ?? Task { await readOnce() }
    current = task
    if let failure = await task.value { throw failure }
  }

  /// Reads the notes of all transactions that were committed before the call, in one read for all callers that wait. Begins
  /// at most 20 reads a second.
  func catchUp() async {
    let task = next ?? Task { await catchUpOnce() }
    next = task
    await task.value
  }

  private func catchUpOnce() async {
    // Fails only if cancelled, which it is not.
    try? await Task.sleep(until: nextStart, clock: .continuous)
    // A read that is under way may have begun before what the caller is to learn of was committed.
    _ = await current?.value
    (next, nextStart) = (nil, .now + Self.pause)
    // What it does not learn, a later read does.
    try? await read()
  }

  private func readOnce() async -> PostgresFailure? {
    defer { current = nil }
    do throws(PostgresFailure) {
      if await readers.openings() != openings { return try await loading() }
      let known = feed.revision
      let rows = try await readers.read(Command(ReadStatements.revokedSince, .integer(known)))
      // A smaller number: the database was replaced by an older one.
      guard rows.count > 0, rows.integer(0, 0) >= known, rows.integer(0, 1) <= known else {
        return try await loading()
      }
      feed.read(RevocationStatements.events(noted: rows), through: rows.integer(0, 0))
      return nil
    } catch {
      return error
    }
  }

  private func loading() async throws(PostgresFailure) -> PostgresFailure? {
    try await load()
    return nil
  }
}

extension Result where Failure == PostgresFailure, Success: Sendable {
  fileprivate init(_ body: () async throws(PostgresFailure) -> Success) async {
    do throws(PostgresFailure) {
      self = .success(try await body())
    } catch {
      self = .failure(error)
    }
  }
}
