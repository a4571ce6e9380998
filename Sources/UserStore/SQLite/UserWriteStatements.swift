import GRDB
import UserDomain

/// The source of new users' times and ids.
struct WriteSettings: Sendable {
  var clock: @Sendable () -> Timestamp = { .now }
  var ids = UserIDGenerator()
}

/// The statements that write users, used inside a transaction.
///
/// A constraint violation undoes only its statement and leaves the transaction open (sqlite.org/lang_conflict.html,
/// ABORT), so it is a domain error of that write. Any other failure is thrown, and the transaction must be rolled back.
final class UserWriteStatements {
  private static let trialName = "trial"
  /// The size in bytes: more than an ordinary write needs, so that a disk with less room counts as full.
  private static let trialSize = 32_768

  private let clock: @Sendable () -> Timestamp
  private var ids: UserIDGenerator

  let sessions: SessionStatements
  let attempts: SignInAttemptStatements
  private let requests: CreateRequestStatements

  private let begin: PreparedStatement
  private let commit: PreparedStatement
  private let rollback: PreparedStatement
  private let insertUser: PreparedStatement
  private let putCredential: PreparedStatement
  private let deleteCredential: PreparedStatement
  private let update: PreparedStatement
  private let offerSecret: PreparedStatement
  private let readSecret: PreparedStatement
  private let otherCommits: PreparedStatement
  private let putTrial: PreparedStatement
  private let deleteTrial: PreparedStatement

  init(
    _ connection: SQLiteConnection, _ settings: WriteSettings, reads: UserReadStatements
  ) throws(DatabaseError) {
    clock = settings.clock
    attempts = try SignInAttemptStatements(connection)
    sessions = try SessionStatements(connection, attempts: attempts, clock: settings.clock)
    requests = try CreateRequestStatements(connection)
    var ids = settings.ids
    // Also past the ids of an earlier process, whose clock may have been ahead.
    if let newest = try reads.newestUserID() { ids.advance(past: newest) }
    self.ids = ids
    // The write lock is taken now, so that nothing later in the transaction waits for it.
    begin = try connection.prepare("BEGIN IMMEDIATE")
    commit = try connection.prepare("COMMIT")
    rollback = try connection.prepare("ROLLBACK")
    insertUser = try connection.prepare(
      """
      INSERT INTO users (id, email, email_key, name, status, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
      """)
    putCredential = try connection.prepare(
      """
      INSERT INTO password_credentials (user_id, phc_hash) VALUES (?1, ?2)
      ON CONFLICT (user_id) DO UPDATE SET phc_hash = excluded.phc_hash
      """)
    deleteCredential = try connection.prepare("DELETE FROM password_credentials WHERE user_id = ?1")
    update = try connection.prepare(
      """
      UPDATE users SET
        email = coalesce(?2, email), email_key = coalesce(?3, email_key), name = coalesce(?4, name),
        status = coalesce(?5, status)
      WHERE id = ?1 RETURNING \(StoredUser.columns)
      """)
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
    try begin.run()
    try requests.purge(at: clock())
  }

  func commitTransaction() throws(DatabaseError) { try commit.run() }
  func rollBackTransaction() throws(DatabaseError) { try rollback.run() }

  func create(_ request: CreateRequest) throws(DatabaseError) -> Result<Creation, UserError> {
    let now = clock()
    guard let id = request.id else { return try create(request.user, at: now).map { Creation($0) } }
    if let outcome = try requests.outcome(of: id, request.user, at: now) { return outcome }
    let outcome = try create(request.user, at: now)
    if case .success(let user) = outcome { try requests.remember(id, request.user, as: user) }
    return outcome.map { Creation($0) }
  }

  func create(_ new: NewUser) throws(DatabaseError) -> Result<User, UserError> {
    try create(new, at: clock())
  }

  private func create(_ new: NewUser, at now: Timestamp) throws(DatabaseError) -> Result<User, UserError> {
    let user = User(
      id: ids.next(at: now), email: new.email, name: new.name, status: .active, createdAt: now)
    do {
      try insert(user)
    } catch  where error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE {
      // email_key is the only UNIQUE column; a clash of ids is SQLITE_CONSTRAINT_PRIMARYKEY.
      return .failure(.emailAlreadyRegistered)
    }
    if let hash = new.passwordHash { try put(hash, for: user.id) }
    return .success(user)
  }

  private func insert(_ user: User) throws(DatabaseError) {
    let (email, key, name) = (user.email.address, user.email.uniquenessKey, user.name.text)
    try insertUser.bind(Int64(user.status.rawValue), at: 5)
    try insertUser.bind(user.createdAt.microsecondsSinceEpoch, at: 6)
    try user.id.withUnsafeBytes { (id) throws(DatabaseError) in
      try insertUser.bind(lent: id, at: 1)
      try email.utf8Span.span.withUnsafeBufferPointer { (email) throws(DatabaseError) in
        try insertUser.bind(lent: email, at: 2)
        try key.utf8Span.span.withUnsafeBufferPointer { (key) throws(DatabaseError) in
          try insertUser.bind(lent: key, at: 3)
          try name.utf8Span.span.withUnsafeBufferPointer { (name) throws(DatabaseError) in
            try insertUser.bind(lent: name, at: 4)
            try insertUser.run()
          }
        }
      }
    }
  }

  func update(
    _ id: UserID, _ changes: UserChanges, by authority: WriteAuthority?
  ) throws(DatabaseError) -> Result<User, UserError> {
    if let authority, let fault = try sessions.fault(of: authority) { return .failure(fault) }
    try update.bind(id, at: 1)
    try bind(changes.email?.address, at: 2)
    try bind(changes.email?.uniquenessKey, at: 3)
    try bind(changes.name?.text, at: 4)
    if let status = changes.status {
      try update.bind(Int64(status.rawValue), at: 5)
    } else {
      try update.bindNull(at: 5)
    }
    let user: User
    do {
      defer { update.reset() }
      guard try update.step() else { return .failure(.notFound(id.description)) }
      user = try update.user()
      // RETURNING gives its rows after the changes are made (sqlite.org/lang_returning.html); this step ends the
      // statement.
      _ = try update.step()
    } catch  where error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE {
      return .failure(.emailAlreadyRegistered)
    }
    switch changes.password {
    case nil: break
    case .replace(let hash): try put(hash, for: id)
    case .remove:
      try deleteCredential.bind(id, at: 1)
      try deleteCredential.run()
    }
    if changes.password != nil { try requests.forget(of: id) }
    // A new password has had no guesses. A user that another caller activates may sign in again.
    if changes.password != nil || (changes.status == .active && authority?.bearer?.userID != id) {
      _ = try attempts.unlock(id, now: clock())
    }
    if changes.password != nil || changes.status == .inactive {
      try sessions.endTokens(of: user)
    } else if changes.status == .active {
      try sessions.readmit(user)
    }
    return .success(user)
  }

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

  private func put(_ hash: PasswordHash, for id: UserID) throws(DatabaseError) {
    try putCredential.bind(id, at: 1)
    try putCredential.bind(hash.phcString, at: 2)
    try putCredential.run()
  }

  private func bind(_ text: String?, at index: Int32) throws(DatabaseError) {
    if let text {
      try update.bind(text, at: index)
    } else {
      try update.bindNull(at: index)
    }
  }
}
