import GRDB
import UserDomain
import UserStore

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
    let stored = try reads.user(id: id)
    let hash = try passwordHash(of: stored, for: write)
    switch UserChange.decide(id, stored: stored, passwordHash: hash, changes, write, now: clock()) {
    case .failure(let error): return .failure(error)
    case .success(let change):
      do throws(DatabaseError) {
        if change.changesUser { try store(change) }
      } catch  where error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE {
        // email_key is the only UNIQUE column that changes.
        return .failure(.emailAlreadyRegistered)
      }
      try applyToOthers(change)
      return .success(change.user)
    }
  }

  private func store(_ change: UserChange) throws(DatabaseError) {
    let user = change.user
    let labels = user.labels.isEmpty ? nil : user.labels.text
    if !change.changesTexts {
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

  /// Applies a change to everything that is not in the user's row: labels, credentials, failure counts and tokens.
  private func applyToOthers(_ change: UserChange) throws(DatabaseError) {
    let user = change.user
    try labels.remove(change.removedLabels, of: user.id)
    try labels.add(change.addedLabels, to: user.id)
    switch change.password {
    case nil: break
    case .replace(let hash): try credentials.put(hash, for: user.id)
    case .remove: try credentials.delete(of: user.id)
    }
    if change.forgetsRequests { try requests.forget(of: user.id) }
    if change.resetsFailures { _ = try attempts.unlock(user.id, now: clock()) }
    switch change.tokens {
    case .none: break
    case .end: try sessions.endTokens(of: user)
    case .readmit: try sessions.readmit(user)
    }
  }

  private func fault(of write: UserWrite) throws(DatabaseError) -> UserError? {
    guard let authority = write.authority else { return nil }
    return try sessions.fault(of: authority)
  }

  /// Returns the hash of the user's password, if `write` depends on it.
  private func passwordHash(of user: User?, for write: UserWrite) throws(DatabaseError) -> PasswordHash? {
    guard let user, write.provenHash != nil else { return nil }
    return try reads.passwordHash(of: user.id)
  }

  // MARK: Deletion

  func delete(
    _ id: UserID, _ removal: UserRemoval, _ write: UserWrite
  ) throws(DatabaseError) -> Result<User, UserError> {
    if let fault = try fault(of: write) { return .failure(fault) }
    let stored = try reads.user(id: id)
    let hash = try passwordHash(of: stored, for: write)
    switch UserRemovalOutcome.decide(
      id, stored: stored, passwordHash: hash, removal, write, now: clock())
    {
    case .failure(let error): return .failure(error)
    case .success(.unchanged(let user)): return .success(user)
    case .success(.delete(let user)):
      try storeDeletion(of: user)
      // A retry of its creation would return it as it was.
      try requests.forget(of: id)
      try sessions.endTokens(of: user)
      return .success(user)
    case .success(.erase(let user)):
      try erase(user)
      return .success(user)
    }
  }

  func undelete(_ id: UserID, _ write: UserWrite) throws(DatabaseError) -> Result<User, UserError> {
    if let fault = try fault(of: write) { return .failure(fault) }
    let outcome = write.undelete(id, stored: try reads.user(id: id), now: clock())
    if case .success(let restored) = outcome {
      try storeDeletion(of: restored)
      try sessions.readmit(restored)
    }
    return outcome
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
    try sessions.retireTokens(of: RetiredTokens.lastState(of: user, at: now))
    try labels.remove(user.labels, of: user.id)
    _ = try attempts.unlock(user.id, now: now)
    // Foreign keys delete the rest.
    try delete.bind(user.id, at: 1)
    try delete.run()
  }
}
