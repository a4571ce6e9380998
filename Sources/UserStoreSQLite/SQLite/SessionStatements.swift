import GRDB
import UserDomain
import UserStore

/// The statements of sessions and token epochs, used inside a transaction. They also record what the transaction
/// revokes, for the `RevocationList` to learn after the commit.
final class SessionStatements {
  static let purgeSessionsSQL = """
    DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE kept_until < ?1 LIMIT \(purgedRows))
    """
  static let oldestSessionsSQL = """
    DELETE FROM sessions WHERE id IN (
      SELECT id FROM sessions WHERE user_id = ?1 AND ended_at IS NULL AND id <> ?2
      ORDER BY rotated_at DESC LIMIT -1 OFFSET \(SessionPolicy.sessionsPerUser - 1))
    RETURNING id
    """
  static let forgetRetiredSQL = """
    DELETE FROM erased_users WHERE user_id IN (
      SELECT user_id FROM erased_users WHERE kept_until < ?1 LIMIT \(purgedRows))
    """
  /// The expired rows that each new row deletes: more than one, so that they do not pile up, and few, so that no
  /// transaction is long.
  private static let purgedRows = 8

  /// The revocations of the transaction so far.
  private(set) var revocations: [RevocationList.Event] = []

  private let clock: @Sendable () -> Timestamp
  private let attempts: SignInAttemptStatements
  private let standing: PreparedStatement
  private let insertSession: PreparedStatement
  private let session: PreparedStatement
  private let updateSession: PreparedStatement
  private let mendSessions: PreparedStatement
  private let deleteSessions: PreparedStatement
  private let deleteOldestSessions: PreparedStatement
  private let purgeSessions: PreparedStatement
  private let beginEpoch: PreparedStatement
  private let epoch: PreparedStatement
  private let upgradeHash: PreparedStatement
  private let retire: PreparedStatement
  private let retired: PreparedStatement
  private let forgetRetired: PreparedStatement
  private let renew: PreparedStatement
  private let deleteRetired: PreparedStatement

  init(
    _ connection: SQLiteConnection, attempts: SignInAttemptStatements,
    clock: @escaping @Sendable () -> Timestamp
  ) throws(DatabaseError) {
    self.clock = clock
    self.attempts = attempts
    standing = try connection.prepare(
      """
      SELECT status, coalesce(epoch, 0) FROM users LEFT JOIN token_epochs ON user_id = id
      WHERE id = ?1 AND deleted_at IS NULL
      """)
    insertSession = try connection.prepare(
      """
      INSERT INTO sessions (id, user_id, token_hash, rotated_at, expires_at, kept_until)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6)
      """)
    session = try connection.prepare(
      """
      SELECT user_id, token_hash, previous_hash, rotated_at, expires_at, ended_at, kept_until FROM sessions
      WHERE id = ?1
      """)
    updateSession = try connection.prepare(
      """
      UPDATE sessions SET token_hash = ?2, previous_hash = ?3, rotated_at = ?4, ended_at = ?5, kept_until = ?6,
        expires_at = ?7
      WHERE id = ?1
      """)
    mendSessions = try connection.prepare(
      """
      UPDATE sessions SET rotated_at = ?2 - 1, expires_at = min(expires_at, ?3), kept_until = min(kept_until, ?4)
      WHERE user_id = ?1 AND ended_at IS NULL AND rotated_at > ?2
      """)
    deleteSessions = try connection.prepare("DELETE FROM sessions WHERE user_id = ?1")
    deleteOldestSessions = try connection.prepare(Self.oldestSessionsSQL)
    purgeSessions = try connection.prepare(Self.purgeSessionsSQL)
    beginEpoch = try connection.prepare(
      """
      INSERT INTO token_epochs (user_id, epoch, began_at) VALUES (?1, 1, ?2)
      ON CONFLICT (user_id) DO UPDATE SET epoch = epoch + 1, began_at = excluded.began_at
      RETURNING epoch, began_at
      """)
    epoch = try connection.prepare("SELECT epoch, began_at FROM token_epochs WHERE user_id = ?1")
    upgradeHash = try connection.prepare(
      "UPDATE password_credentials SET phc_hash = ?3 WHERE user_id = ?1 AND phc_hash = ?2")
    retire = try connection.prepare(
      """
      REPLACE INTO erased_users (user_id, epoch, began_at, kept_until)
      SELECT user_id, epoch, began_at, ?2 FROM token_epochs WHERE user_id = ?1
      """)
    retired = try connection.prepare("SELECT 1 FROM erased_users WHERE user_id = ?1")
    forgetRetired = try connection.prepare(Self.forgetRetiredSQL)
    renew = try connection.prepare(
      """
      INSERT INTO token_epochs (user_id, epoch, began_at)
      SELECT user_id, epoch + 1, ?2 FROM erased_users WHERE user_id = ?1 RETURNING epoch, began_at
      """)
    deleteRetired = try connection.prepare("DELETE FROM erased_users WHERE user_id = ?1")
  }

  /// Clears the revocations of an earlier transaction.
  func transactionBegan() {
    revocations = []
  }

  // MARK: Signing in

  func create(
    _ new: Session, epoch: Int64, from source: SignInSource
  ) throws(DatabaseError) -> Result<Void, UserError> {
    guard try standing(of: new.userID)?.accepts(epoch: epoch) == true else {
      return .failure(.wrongCredentials)
    }
    try insertSession.bind(new.id.bytes, at: 1)
    try insertSession.bind(new.userID, at: 2)
    try insertSession.bind(new.tokenHash, at: 3)
    try insertSession.bind(new.rotatedAt.microsecondsSinceEpoch, at: 4)
    try insertSession.bind(new.expiresAt.microsecondsSinceEpoch, at: 5)
    try insertSession.bind(new.keptUntil.microsecondsSinceEpoch, at: 6)
    try insertSession.run()
    try attempts.signedIn(new, from: source)
    try makeRoom(for: new)
    try purgeSessions.bind(new.rotatedAt.microsecondsSinceEpoch, at: 1)
    try purgeSessions.run()
    return .success(())
  }

  /// Ends the user's sessions beyond the maximum. Sessions stored by a clock that was ahead count as slightly older
  /// than the new one: otherwise they would never be the oldest.
  private func makeRoom(for new: Session) throws(DatabaseError) {
    try mendSessions.bind(new.userID, at: 1)
    try mendSessions.bind(new.rotatedAt.microsecondsSinceEpoch, at: 2)
    try mendSessions.bind(new.expiresAt.microsecondsSinceEpoch, at: 3)
    try mendSessions.bind(new.keptUntil.microsecondsSinceEpoch, at: 4)
    try mendSessions.run()
    try deleteOldestSessions.bind(new.userID, at: 1)
    try deleteOldestSessions.bind(new.id.bytes, at: 2)
    defer { deleteOldestSessions.reset() }
    while try deleteOldestSessions.step() {
      if let id = SessionID(bytes: deleteOldestSessions.blob(at: 0)) { noteEnd(of: id, at: new.rotatedAt) }
    }
  }

  /// Returns the reason why the authority no longer allows writing, or nil.
  func fault(of authority: WriteAuthority) throws(DatabaseError) -> UserError? {
    try authority.fault(standing: standing(of:))
  }

  /// Returns the standing of a user; nil if it is deleted or unknown.
  private func standing(of user: UserID) throws(DatabaseError) -> UserStanding? {
    try standing.bind(user, at: 1)
    defer { standing.reset() }
    guard try standing.step() else { return nil }
    return UserStanding(
      status: UserStatus(rawValue: Int(standing.integer(at: 0))), epoch: standing.integer(at: 1))
  }

  func upgrade(_ old: PasswordHash, to new: PasswordHash, of user: UserID) throws(DatabaseError) {
    try upgradeHash.bind(user, at: 1)
    try upgradeHash.bind(old.phcString, at: 2)
    try upgradeHash.bind(new.phcString, at: 3)
    try upgradeHash.run()
  }

  // MARK: Continuing and ending

  func refresh(
    _ refresh: SessionRefresh
  ) throws(DatabaseError) -> Result<(session: Session, epoch: Int64), UserError> {
    guard let stored = try session(refresh.session), let epoch = try standing(of: stored.userID)?.epoch else {
      return .failure(.unauthenticated(.untrusted))
    }
    switch refresh.decide(about: stored) {
    case .goOn(let next):
      try update(next)
      return .success((next, epoch))
    case .repeatLast:
      return .success((stored, epoch))
    case .end(let ended):
      try end(ended, now: refresh.now)
      return .failure(.unauthenticated(.revoked))
    case .refuse(let fault):
      return .failure(.unauthenticated(fault))
    }
  }

  func end(_ id: SessionID, now: Timestamp) throws(DatabaseError) {
    // An unknown session was once issued: its access tokens may still be valid.
    guard let stored = try session(id) else { return noteEnd(of: id, at: now) }
    if stored.endedAt == nil { try end(stored.ended(at: now), now: now) }
  }

  private func end(_ ended: Session, now: Timestamp) throws(DatabaseError) {
    try update(ended)
    revocations.append(.sessionEnded(ended.id, until: ended.keptUntil))
  }

  private func noteEnd(of session: SessionID, at now: Timestamp) {
    revocations.append(.sessionEnded(session, until: now + SessionPolicy.endedSessionRetention))
  }

  private func session(_ id: SessionID) throws(DatabaseError) -> Session? {
    try session.bind(id.bytes, at: 1)
    defer { session.reset() }
    guard try session.step() else { return nil }
    return Session(
      id: id, userID: try session.id(at: 0), tokenHash: session.blob(at: 1),
      previousHash: session.isNull(at: 2) ? nil : session.blob(at: 2),
      rotatedAt: Timestamp(microsecondsSinceEpoch: session.integer(at: 3)),
      expiresAt: Timestamp(microsecondsSinceEpoch: session.integer(at: 4)),
      endedAt: session.isNull(at: 5) ? nil : Timestamp(microsecondsSinceEpoch: session.integer(at: 5)),
      keptUntil: Timestamp(microsecondsSinceEpoch: session.integer(at: 6)))
  }

  private func update(_ changed: Session) throws(DatabaseError) {
    try updateSession.bind(changed.id.bytes, at: 1)
    try updateSession.bind(changed.tokenHash, at: 2)
    if let previous = changed.previousHash {
      try updateSession.bind(previous, at: 3)
    } else {
      try updateSession.bindNull(at: 3)
    }
    try updateSession.bind(changed.rotatedAt.microsecondsSinceEpoch, at: 4)
    if let endedAt = changed.endedAt {
      try updateSession.bind(endedAt.microsecondsSinceEpoch, at: 5)
    } else {
      try updateSession.bindNull(at: 5)
    }
    try updateSession.bind(changed.keptUntil.microsecondsSinceEpoch, at: 6)
    try updateSession.bind(changed.expiresAt.microsecondsSinceEpoch, at: 7)
    try updateSession.run()
  }

  // MARK: Users that change

  /// Revokes every token of `user` after a change of its password or status, or its deletion: deletes its sessions and begins a new
  /// epoch.
  func endTokens(of user: User) throws(DatabaseError) {
    try deleteSessions.bind(user.id, at: 1)
    try deleteSessions.run()
    try beginEpoch.bind(user.id, at: 1)
    try beginEpoch.bind(clock().microsecondsSinceEpoch, at: 2)
    defer { beginEpoch.reset() }
    guard try beginEpoch.step() else { return }
    note(beginEpoch, of: user)
    // RETURNING gives its rows after the changes are made (sqlite.org/lang_returning.html); this step ends the
    // statement.
    _ = try beginEpoch.step()
  }

  /// Revokes every token of `user`, which is about to be erased, for as long as any may be valid.
  func retireTokens(of user: User) throws(DatabaseError) {
    try endTokens(of: user)
    let now = clock()
    try forgetRetired.bind(now.microsecondsSinceEpoch, at: 1)
    try forgetRetired.run()
    try retire.bind(user.id, at: 1)
    try retire.bind((now + RetiredTokens.retention).microsecondsSinceEpoch, at: 2)
    try retire.run()
  }

  /// Keeps tokens of an erased user from being those of `user`, which has its id.
  func renewTokens(of user: User) throws(DatabaseError) {
    try renew.bind(user.id, at: 1)
    try renew.bind(clock().microsecondsSinceEpoch, at: 2)
    do {
      defer { renew.reset() }
      guard try renew.step() else { return }
      note(renew, of: user)
      _ = try renew.step()
    }
    try deleteRetired.bind(user.id, at: 1)
    try deleteRetired.run()
  }

  /// Returns whether a user with this id was erased.
  func isRetired(_ user: UserID) throws(DatabaseError) -> Bool {
    try retired.bind(user, at: 1)
    defer { retired.reset() }
    return try retired.step()
  }

  /// Lets `user`, who may sign in again, get new tokens; the old ones stay revoked.
  func readmit(_ user: User) throws(DatabaseError) {
    try epoch.bind(user.id, at: 1)
    defer { epoch.reset() }
    if try epoch.step() { note(epoch, of: user) }
  }

  private func note(_ row: PreparedStatement, of user: User) {
    revocations.append(
      .epochBegan(
        user.id,
        RevocationList.Epoch(
          number: row.integer(at: 0), beganAt: Timestamp(microsecondsSinceEpoch: row.integer(at: 1)),
          isUserActive: user.maySignIn)))
  }
}
