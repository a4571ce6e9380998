public import UserDomain

/// The store of a service: the domain's repositories on one database, and what a service checks of it from time to time.
///
/// The caller that opens a store closes it.
public protocol ServiceStore: UserRepository, SessionRepository, SignInAttemptRepository {
  /// The access tokens that this database has revoked.
  var revocations: RevocationList { get }

  /// The reason why writes fail; nil while they succeed. Takes nanoseconds, and never waits.
  var writeFault: StorageFault? { get }

  /// The number of writes waiting for a transaction.
  var waitingWrites: Int { get }

  /// Returns a fault of this database as an error for operators, which prints as one line.
  func failure(_ fault: StorageFault) -> StoreError

  /// Learns what other processes have done to the database, so that ``revocations`` and ``writeFault`` are correct even
  /// when nothing is written, and does what waits for a pause. Call it at least once a second.
  func inspect() async

  /// Brings ``revocations`` up to date with what other processes committed before the call, as far as the database can be
  /// read, and limits its own rate. nil where no other process lets users get new tokens while the database is served.
  var revocationCatchUp: (@Sendable () async -> Void)? { get }

  /// Tests, during a ``writeFault``, whether writes succeed again.
  func recover() async

  /// Erases the deleted users that are due to be purged at `now`, a few in each transaction. Returns their number.
  ///
  /// - Throws: `UserError.storage`, `.overloaded`, `.cancelled`, `.shuttingDown`. Some users may be erased then.
  func purge(at now: Timestamp) async throws(UserError) -> Int

  /// Returns the database's secret with this name: `length` random bytes, created on first use.
  ///
  /// - Throws: `UserError.storage`, `.overloaded`, `.cancelled`, `.shuttingDown`.
  func secret(_ name: String, length: Int) async throws(UserError) -> [UInt8]

  /// Completes the accepted writes, refuses later calls with `UserError.shuttingDown`, and closes the database. Repeated
  /// calls do nothing.
  ///
  /// - Throws: `StoreError.storage` if the database could not be closed in order.
  func close() async throws(StoreError)
}

extension ServiceStore {
  /// Nothing: this process alone lets users get new tokens.
  public var revocationCatchUp: (@Sendable () async -> Void)? { nil }
}
