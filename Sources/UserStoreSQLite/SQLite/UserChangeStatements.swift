import GRDB
import UserDomain

/// The statements that change and delete users, used inside a transaction.
final class UserChangeStatements {
  static let purgeableSQL = "SELECT id FROM users WHERE purge_at <= ?1 LIMIT ?2"

  /// Whether the transaction has erased users.
  private(set) var hasErased = false

  private let clock: @Sendable () -> Timestamp
  private let reads: UserReadStatements
  private let sessions: SessionStatements
  private let attempts: SignInAttemptStatements
  private let requests: CreateRequestStatements
  private let credentials: CredentialStatements
  private let labels: LabelStatements

  private let update: PreparedStatement
  private let updateUnsearched: PreparedStatement
  private let setDeletion: PreparedStatement
  private let delete: PreparedStatement
  private let purgeable: PreparedStatement

  init(
    _ connection: SQLiteConnection, clock: @escaping @Sendable () -> Timestamp, reads: UserReadStatements,
    sessions: SessionStatements, attempts: SignInAttemptStatements, requests: CreateRequestStatements,
    credentials: CredentialStatements, labels: LabelStatements
  ) throws(DatabaseError) {
    self.clock = clock
    self.reads = reads
    self.sessions = sessions
    self.attempts = attempts
    self.requests = requests
    self.credentials = credentials
    self.labels = labels
    update = try connection.prepare(
      """
      UPDATE users SET email = ?2, email_key = ?3, name = ?4, name_key = ?5, status = ?6, labels = ?7, updated_at = ?8
      WHERE id = ?1
      """)
    // The indexes of addresses and names are left alone.
    updateUnsearched = try connection.prepare(
      "UPDATE users SET status = ?2, labels = ?3, updated_at = ?4 WHERE id = ?1")
    setDeletion = try connection.prepare(
      "UPDATE users SET deleted_at = ?2, purge_at = ?3, updated_at = ?4 WHERE id = ?1")
    delete = try connection.prepare("DELETE FROM users WHERE id = ?1")
    purgeable = try connection.prepare(Self.purgeableSQL)
  }

  // MARK: Changes

  func update(
    _ id: UserID, _ changes: UserChanges, _ write: UserWrite
  ) throws(DatabaseError) -> Result<User, UserError> {
    if let fault = try fault(of: write) { return .failure(fault) }
    guard let user = try reads.user(id: id), user.deletion == nil else {
      return .failure(.notFound(id.description))
    }
    if let version = write.version, version != user.version { return .failure(.versionMismatch) }
    if try hasOtherPassword(user, than: write) { return .failure(.wrongCurrentPassword) }
    var changed = user.with(changes, updatedAt: user.updatedAt)
    // A user that stays as it is keeps its version.
    if changed != user || changes.password != nil {
      changed = user.with(changes, updatedAt: timeOfChange(of: user))
      do throws(DatabaseError) {
        try store(changed, insteadOf: user)
      } catch  where error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE {
        // email_key is the only UNIQUE column that changes.
        return .failure(.emailAlreadyRegistered)
      }
      if changed.labels != user.labels {
        try labels.remove(user.labels, of: id)
        try labels.add(changed.labels, to: id)
      }
    }
    try applyToTokens(changes, of: changed, since: user.status, by: write.authority)
    return .success(changed)
  }

  private func store(_ user: User, insteadOf earlier: User) throws(DatabaseError) {
    let labels = user.labels.isEmpty ? nil : user.labels.text
    if user.email == earlier.email, user.name == earlier.name {
      try updateUnsearched.bind(user.id, at: 1)
      try updateUnsearched.bind(Int64(user.status.rawValue), at: 2)
      try updateUnsearched.bind(labels, at: 3)
      try updateUnsearched.bind(user.updatedAt.microsecondsSinceEpoch, at: 4)
      try updateUnsearched.run()
      return
    }
    try update.bind(user.id, at: 1)
    try update.bind(user.email.address, at: 2)
    try update.bind(user.email.uniquenessKey, at: 3)
    try update.bind(user.name.text, at: 4)
    try update.bind(UserRecord.nameKey(user.name), at: 5)
    try update.bind(Int64(user.status.rawValue), at: 6)
    try update.bind(labels, at: 7)
    try update.bind(user.updatedAt.microsecondsSinceEpoch, at: 8)
    try update.run()
  }

  /// Applies a change of the password and the status to what they permit: credentials, failure counts and tokens.
  private func applyToTokens(
    _ changes: UserChanges, of user: User, since earlier: UserStatus, by authority: WriteAuthority?
  ) throws(DatabaseError) {
    switch changes.password {
    case nil: break
    case .replace(let hash): try credentials.put(hash, for: user.id)
    case .remove: try credentials.delete(of: user.id)
    }
    if changes.password != nil { try requests.forget(of: user.id) }
    // A new password has had no guesses. A user that another caller activates may sign in again.
    let isActivated = changes.status == .active && (changes.unlocks || earlier != .active)
    if changes.password != nil || (isActivated && authority?.bearer?.userID != user.id) {
      _ = try attempts.unlock(user.id, now: clock())
    }
    if changes.password != nil || changes.status == .inactive {
      try sessions.endTokens(of: user)
    } else if changes.status == .active {
      try sessions.readmit(user)
    }
  }

  /// Returns the time of a change that happens now: later than the last one, whatever the clock says.
  private func timeOfChange(of user: User) -> Timestamp {
    max(clock(), Timestamp(microsecondsSinceEpoch: user.updatedAt.microsecondsSinceEpoch + 1))
  }

  private func fault(of write: UserWrite) throws(DatabaseError) -> UserError? {
    guard let authority = write.authority else { return nil }
    return try sessions.fault(of: authority)
  }

  /// Returns whether the password that a change depends on was replaced or removed since it was proven. A hash that a
  /// sign-in has upgraded meanwhile is another one, too.
  private func hasOtherPassword(_ user: User, than write: UserWrite) throws(DatabaseError) -> Bool {
    guard let proven = write.provenHash else { return false }
    return try reads.passwordHash(of: user.id) != proven
  }

  // MARK: Deletion

  func delete(
    _ id: UserID, _ removal: UserRemoval, _ write: UserWrite
  ) throws(DatabaseError) -> Result<User, UserError> {
    if let fault = try fault(of: write) { return .failure(fault) }
    guard let user = try reads.user(id: id) else { return .failure(.notFound(id.description)) }
    if user.deletion != nil, case .soft(_, let allowsDeleted) = removal {
      return allowsDeleted ? .success(user) : .failure(.notFound(id.description))
    }
    if let version = write.version, version != user.version { return .failure(.versionMismatch) }
    if try hasOtherPassword(user, than: write) { return .failure(.wrongCurrentPassword) }
    let now = timeOfChange(of: user)
    switch removal {
    case .soft(let retention, _):
      let deleted = user.with(
        deletion: UserDeletion(deletedAt: now, purgeAt: now + retention), updatedAt: now)
      try storeDeletion(of: deleted)
      // A retry of its creation would return it as it was.
      try requests.forget(of: id)
      try sessions.endTokens(of: deleted)
      return .success(deleted)
    case .expunge:
      let deletion = UserDeletion(deletedAt: user.deletion?.deletedAt ?? now, purgeAt: now)
      try erase(user)
      return .success(user.with(deletion: deletion, updatedAt: now))
    }
  }

  func undelete(_ id: UserID, _ write: UserWrite) throws(DatabaseError) -> Result<User, UserError> {
    if let fault = try fault(of: write) { return .failure(fault) }
    guard let user = try reads.user(id: id) else { return .failure(.notFound(id.description)) }
    guard user.deletion != nil else { return .failure(.notDeleted) }
    if let version = write.version, version != user.version { return .failure(.versionMismatch) }
    let restored = user.with(deletion: nil, updatedAt: timeOfChange(of: user))
    try storeDeletion(of: restored)
    try sessions.readmit(restored)
    return .success(restored)
  }

  private func storeDeletion(of user: User) throws(DatabaseError) {
    try setDeletion.bind(user.id, at: 1)
    try setDeletion.bind(user.deletion?.deletedAt.microsecondsSinceEpoch, at: 2)
    try setDeletion.bind(user.deletion?.purgeAt.microsecondsSinceEpoch, at: 3)
    try setDeletion.bind(user.updatedAt.microsecondsSinceEpoch, at: 4)
    try setDeletion.run()
  }

  /// Erases a few of the users that are due to be purged at `now`. Returns their number.
  func purge(at now: Timestamp, limit: Int) throws(DatabaseError) -> Int {
    var ids: [UserID] = []
    try purgeable.bind(now.microsecondsSinceEpoch, at: 1)
    try purgeable.bind(Int64(limit), at: 2)
    do {
      defer { purgeable.reset() }
      while try purgeable.step() { ids.append(try purgeable.id(at: 0)) }
    }
    for id in ids {
      if let user = try reads.user(id: id) { try erase(user) }
    }
    return ids.count
  }

  /// Forgets that an earlier transaction has erased users.
  func transactionBegan() { hasErased = false }

  /// Erases a user with everything that belongs to it.
  private func erase(_ user: User) throws(DatabaseError) {
    hasErased = true
    let now = clock()
    try sessions.retireTokens(
      of: user.with(deletion: UserDeletion(deletedAt: now, purgeAt: now), updatedAt: now))
    try labels.remove(user.labels, of: user.id)
    _ = try attempts.unlock(user.id, now: now)
    // Foreign keys delete the rest.
    try delete.bind(user.id, at: 1)
    try delete.run()
  }
}
