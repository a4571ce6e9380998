import GRDB
import UserDomain
import UserStore

/// The statements that write users, used inside a transaction.
///
/// A constraint violation undoes only its statement and leaves the transaction open (sqlite.org/lang_conflict.html,
/// ABORT), so it is a domain error of that write. Any other failure is thrown, and the transaction must be rolled back.
final class UserWriteStatements {
  private static let trialName = "trial"
  /// The size in bytes: more than an ordinary write needs, so that a disk with less room counts as full.
  private static let trialSize = 32_768

  let clock: @Sendable () -> Timestamp
  private var ids: UserIDGenerator
  private let latest: LatestTime
  let reads: UserReadStatements

  let sessions: SessionStatements
  let attempts: SignInAttemptStatements
  /// The statements that change and delete users.
  let changes: UserChangeStatements
  let inserts: UserInsertStatements
  private let requests: CreateRequestStatements

  private let begin: PreparedStatement
  private let commit: PreparedStatement
  private let rollback: PreparedStatement
  private let offerSecret: PreparedStatement
  private let readSecret: PreparedStatement
  private let otherCommits: PreparedStatement
  private let putTrial: PreparedStatement
  private let deleteTrial: PreparedStatement

  init(
    _ connection: SQLiteConnection, _ settings: WriteSettings, reads: UserReadStatements
  ) throws(DatabaseError) {
    clock = settings.clock
    self.reads = reads
    attempts = try SignInAttemptStatements(connection)
    sessions = try SessionStatements(connection, attempts: attempts, clock: settings.clock)
    requests = try CreateRequestStatements(connection)
    let (credentials, labels) = (try CredentialStatements(connection), try LabelStatements(connection))
    inserts = try UserInsertStatements(connection, credentials: credentials, labels: labels)
    changes = try UserChangeStatements(
      connection, clock: settings.clock, reads: reads, sessions: sessions, attempts: attempts,
      requests: requests,
      credentials: credentials, labels: labels)
    var ids = settings.ids
    // Also past the ids of an earlier process, whose clock may have been ahead.
    if let newest = try reads.newestUserID() { ids.advance(past: newest) }
    self.ids = ids
    latest = settings.latest
    latest.raise(to: ids.latestTime)
    // The write lock is taken now, so that nothing later in the transaction waits for it.
    begin = try connection.prepare("BEGIN IMMEDIATE")
    commit = try connection.prepare("COMMIT")
    rollback = try connection.prepare("ROLLBACK")
    offerSecret = try connection.prepare(
      "INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
    readSecret = try connection.prepare("SELECT value FROM secrets WHERE name = ?1")
    otherCommits = try connection.prepare("PRAGMA data_version")
    putTrial = try connection.prepare(
      "REPLACE INTO secrets (name, value) VALUES (?1, zeroblob(\(Self.trialSize)))")
    deleteTrial = try connection.prepare("DELETE FROM secrets WHERE name = ?1")
  }

  /// Begins a transaction with the work that every transaction does first. After a failure the transaction may be open.
  func beginTransaction() throws(DatabaseError) {
    sessions.transactionBegan()
    changes.transactionBegan()
    try begin.run()
    try requests.purge(at: clock())
  }

  func commitTransaction() throws(DatabaseError) {
    // Before the commit, so that no reader knows of a user and not of its time.
    latest.raise(to: ids.latestTime)
    try commit.run()
  }
  func rollBackTransaction() throws(DatabaseError) { try rollback.run() }

  func create(_ request: CreateRequest) throws(DatabaseError) -> Result<Creation, UserError> {
    let now = clock()
    guard let id = request.id else { return try create(request.user, at: now).map { Creation($0) } }
    if let outcome = try requests.outcome(of: id, request.user, at: now) { return outcome }
    let outcome = try create(request.user, at: now)
    if case .success(let user) = outcome { try requests.remember(id, request.user, as: user, at: now) }
    return outcome.map { Creation($0) }
  }

  func create(_ new: NewUser) throws(DatabaseError) -> Result<User, UserError> {
    try create(new, at: clock())
  }

  private func create(_ new: NewUser, at now: Timestamp) throws(DatabaseError) -> Result<User, UserError> {
    let id = ids.next(at: now)
    let user = new.stored(as: id, at: now)
    guard try inserts.insert(UserRecord(user: user, passwordHash: new.passwordHash)) else {
      // A new id is never taken.
      return .failure(.emailAlreadyRegistered)
    }
    return .success(user)
  }

  /// Returns the id of an imported user.
  func newID(of row: ForeignUser, at now: Timestamp) -> UserID { ids.id(of: row, at: now) }

  /// Makes later ids greater than one that was stored.
  func noteID(_ id: UserID) { ids.advance(past: id) }

  /// Resets every failure count at a user's account. Returns the number of consecutive failures from all networks.
  func unlock(_ user: UserID) throws(DatabaseError) -> Result<Int, UserError> {
    .success(try attempts.unlock(user, now: clock()))
  }

  /// Returns the secret with this name, after storing `offered` if it is missing.
  func secret(_ name: String, offered: [UInt8]) throws(DatabaseError) -> [UInt8] {
    try offerSecret.bind(name, at: 1)
    try offerSecret.bind(offered, at: 2)
    try offerSecret.run()
    try readSecret.bind(name, at: 1)
    defer { readSecret.reset() }
    return try readSecret.step() ? readSecret.blob(at: 0) : offered
  }

  /// Returns a number that changes when another connection has committed.
  func dataVersion() throws(DatabaseError) -> Int64 {
    defer { otherCommits.reset() }
    _ = try otherCommits.step()
    return otherCommits.integer(at: 0)
  }

  /// Writes a few pages to test whether the disk accepts them: a secret that ``removeTrial()`` deletes.
  func makeTrial() throws(DatabaseError) {
    try putTrial.bind(Self.trialName, at: 1)
    try putTrial.run()
  }

  /// Deletes the secret of ``makeTrial()`` in a later transaction.
  func removeTrial() throws(DatabaseError) {
    try deleteTrial.bind(Self.trialName, at: 1)
    try deleteTrial.run()
  }
}
