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
      try await revocationReader.read()
      failedInspections.store(0, ordering: .releasing)
    } catch {
      let count = failedInspections.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
      // A lost connection is a fault although nothing is written, and so is a list of revoked tokens that grows old. A single
      // failure the next inspection meets again.
      if error.origin == .connection || count >= Self.toleratedInspections { writer.readingFailed(error) }
    }
  }

  /// So many inspections may fail in a row, two seconds long, before the service counts as failing.
  private static let toleratedInspections = 4

  /// Reads the notes of other services.
  public var revocationCatchUp: (@Sendable () async -> Void)? {
    { [revocationReader] in await revocationReader.catchUp() }
  }

  /// Tests, during a ``writeFault``, whether writes succeed again, by a transaction that changes no user.
  public func recover() async {
    // Not while tokens that others have revoked would be accepted.
    guard failedInspections.load(ordering: .acquiring) < Self.toleratedInspections else { return }
    if writeFault != nil { await writer.tryToWrite() }
  }

  /// Erases the deleted users that are due to be purged at `now`, a few in each transaction, and keeps the tables of failed
  /// sign-ins and of revocations small. Returns the number of users.
  public func purge(at now: Timestamp) async throws(UserError) -> Int {
    try await writer.write(WriteOperation<Void>.tidy)
    while try await writer.write(.forgetNotes(limit: Self.forgottenNotes)) == Self.forgottenNotes {}
    var count = 0
    while try await read(Command(ReadStatements.due, .time(now))).flag(0, 0) {
      count += try await writer.write(
        rows: Self.purgedUsers, WriteOperation<Int>.purge(at: now, limit: Self.purgedUsers))
    }
    return count
  }

  private static let purgedUsers = 64
  /// Other writes get their turn after so many notes.
  private static let forgottenNotes = 5_000

  /// Returns the database's secret with this name: `length` random bytes, created on first use. All services of the
  /// database have the same.
  public func secret(_ name: String, length: Int) async throws(UserError) -> [UInt8] {
    try await writer.write(.secret(name, offered: SystemRandom.bytes(length)))
  }
}
