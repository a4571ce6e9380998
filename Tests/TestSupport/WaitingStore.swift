public import UserDomain

/// A store whose reads wait, as those over a network do: each suspends its task before it asks another store.
///
/// It is not an `ImmediateUserReads`, even if the other store is.
public struct WaitingStore<Store: UserRepository & SignInAttemptRepository>: UserRepository,
  SignInAttemptRepository
{
  private let store: Store

  /// Creates a store with the users and attempts of `store`.
  public init(_ store: Store) {
    self.store = store
  }

  private func wait() async throws(UserError) {
    await Task.yield()
    if Task.isCancelled { throw .cancelled }
  }

  // MARK: Reads

  public func readUser(
    id: UserID, showsDeleted: Bool, _ body: UserReader
  ) async throws(UserError) -> Bool {
    try await wait()
    return try await store.readUser(id: id, showsDeleted: showsDeleted, body)
  }

  public func readUser(
    email: EmailAddress, showsDeleted: Bool, _ body: UserReader
  ) async throws(UserError) -> Bool {
    try await wait()
    return try await store.readUser(email: email, showsDeleted: showsDeleted, body)
  }

  public func user(id: UserID) async throws(UserError) -> User? {
    try await wait()
    return try await store.user(id: id)
  }

  public func credential(email: EmailAddress) async throws(UserError) -> Credential? {
    try await wait()
    return try await store.credential(email: email)
  }

  public func lastPlace() async throws(UserError) -> UserID? {
    try await wait()
    return try await store.lastPlace()
  }

  public func readUsers(
    _ query: UserQuery, after: ListingPosition?, through: UserID, limit: Int, _ body: UserReader
  ) async throws(UserError) -> UsersRead {
    try await wait()
    return try await store.readUsers(query, after: after, through: through, limit: limit, body)
  }

  public func passwordHash(of user: UserID) async throws(UserError) -> PasswordHash? {
    try await wait()
    return try await store.passwordHash(of: user)
  }

  public func history(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) async throws(UserError) -> SignInHistory {
    try await wait()
    return try await store.history(of: account, from: source, now: now)
  }

  public func deviceUser(_ session: SessionID) async throws(UserError) -> UserID? {
    try await wait()
    return try await store.deviceUser(session)
  }

  // MARK: Writes

  public func create(_ user: NewUser) async throws(UserError) -> User { try await store.create(user) }

  public func create(
    _ requests: [CreateRequest], by authority: WriteAuthority?
  ) async throws(UserError) -> [Result<Creation, UserError>] {
    try await store.create(requests, by: authority)
  }

  public func importUsers(
    _ users: ArraySlice<ForeignUser>, by authority: WriteAuthority?
  ) async throws(UserError) -> [Result<UserImport, UserError>] {
    try await store.importUsers(users, by: authority)
  }

  public func update(
    _ id: UserID, _ changes: UserChanges, _ write: UserWrite
  ) async throws(UserError) -> User {
    try await store.update(id, changes, write)
  }

  public func delete(
    _ id: UserID, _ removal: UserRemoval, _ write: UserWrite
  ) async throws(UserError) -> User {
    try await store.delete(id, removal, write)
  }

  public func undelete(_ id: UserID, _ write: UserWrite) async throws(UserError) -> User {
    try await store.undelete(id, write)
  }

  public func noteFailure(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) async throws(UserError) {
    try await store.noteFailure(of: account, from: source, now: now)
  }

  public func forgetFailures(of account: SignInAccount, from source: SignInSource) async throws(UserError) {
    try await store.forgetFailures(of: account, from: source)
  }

  public func unlock(_ user: UserID) async throws(UserError) -> Int { try await store.unlock(user) }
}
