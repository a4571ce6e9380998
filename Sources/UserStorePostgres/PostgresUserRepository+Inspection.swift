import Primitives
import Synchronization
public import UserDomain
public import UserStore

/// What a service checks of its database from time to time.
extension PostgresUserRepository {
  /// The reason why writes fail: the last one failed, or the server cannot be reached. nil while writes succeed.
  public var writeFault: StorageFault? { writer.fault }

  /// The number of writes waiting for a transaction.
  public var waitingWrites: Int { writer.waitingWrites }

  /// Whether a transaction is running or about to begin.
  package var isWriting: Bool { writer.isWriting }

  /// Returns a fault of this database as an error for operators, which prints as one line.
  public func failure(_ fault: StorageFault) -> StoreError {
    .storage(path: address.description, fault)
  }

  /// Reads what other services have revoked, which ``revocations`` then has. Takes a round trip.
  public func inspect() async {
    do throws(PostgresFailure) {
      try await readRevocations()
    } catch {
      // A lost connection is a fault although nothing is written; other failures the next inspection meets again.
      if error.origin == .connection { writer.connectionFailed(error) }
    }
  }

  /// Tests, during a ``writeFault``, whether writes succeed again, by a transaction that changes no user.
  public func recover() async {
    if writeFault != nil { await writer.tryToWrite() }
  }

  /// Erases the deleted users that are due to be purged at `now`, a few in each transaction, and keeps the tables of failed
  /// sign-ins and of revocations small. Returns the number of users.
  public func purge(at now: Timestamp) async throws(UserError) -> Int {
    try await writer.write(WriteOperation<Void>.tidy)
    var count = 0
    while try await read(Command(ReadStatements.due, .time(now))).flag(0, 0) {
      count += try await writer.write(
        rows: Self.purgedUsers, WriteOperation<Int>.purge(at: now, limit: Self.purgedUsers))
    }
    return count
  }

  private static let purgedUsers = 64

  /// Returns the database's secret with this name: `length` random bytes, created on first use. All services of the
  /// database have the same.
  public func secret(_ name: String, length: Int) async throws(UserError) -> [UInt8] {
    try await writer.write(.secret(name, offered: SystemRandom.bytes(length)))
  }

  // MARK: Revocations

  /// Reads all stored revocations.
  func loadRevocations() async throws(PostgresFailure) {
    let results = try await readers.run(RevocationStatements.snapshot)
    let (revision, events) = RevocationStatements.events(results)
    feed.loaded(events, at: revision)
    lastRead.withLock { $0 = .now }
  }

  /// Reads the notes of transactions since the last ones; all stored revocations if notes may have been deleted since.
  private func readRevocations() async throws(PostgresFailure) {
    let known = feed.revision
    guard lastRead.withLock({ .now - $0 < RevocationStatements.notesRetention / 2 }) else {
      return try await loadRevocations()
    }
    let now = try await readers.read(Command(ReadStatements.revision)).integer(0, 0)
    if now < known {
      // The database was replaced by an older one.
      return try await loadRevocations()
    }
    if now > known {
      let rows = try await readers.read(Command(ReadStatements.revokedSince, .integer(known)))
      let last = rows.count == 0 ? now : max(now, rows.integer(rows.count - 1, 0))
      feed.read(RevocationStatements.events(noted: rows), through: last)
    }
    lastRead.withLock { $0 = .now }
  }
}
