/// The store of users.
///
/// Reads run on the calling thread and take microseconds, so an event loop may call them. Writes are async: each
/// returns once it is durable, or throws having stored nothing. A write whose task is cancelled while it waits throws
/// `UserError.cancelled`; a write that has begun completes.
///
/// Ids are assigned in commit order: a reader that has seen a user can read every user with a smaller id.
public protocol UserRepository: Sendable {
  /// Calls `body` with the user with this id. Returns whether the user exists.
  ///
  /// - Throws: `UserError.storage`, before `body` is called.
  func readUser(id: UserID, _ body: UserReader) throws(UserError) -> Bool

  /// Returns the user with this address in any letter case, and the password's hash, or nil.
  ///
  /// - Throws: `UserError.storage`.
  func credential(email: EmailAddress) throws(UserError) -> Credential?

  /// Returns the greatest id in the store, or nil if the store is empty.
  ///
  /// - Throws: `UserError.storage`.
  func newestUserID() throws(UserError) -> UserID?

  /// Calls `body` with at most `limit` users, by ascending id, whose ids are greater than `after` (nil: from the first)
  /// and at most `through`. Returns how many there were.
  ///
  /// - Throws: `UserError.storage`, possibly after some users.
  func readUsers(
    after: UserID?, through: UserID, limit: Int, _ body: UserReader
  ) throws(UserError) -> UsersRead

  /// Stores one user.
  ///
  /// - Throws: `UserError.emailAlreadyRegistered`, `.storage`, `.overloaded`, `.cancelled`, `.shuttingDown`.
  func create(_ user: NewUser) async throws(UserError) -> User

  /// Stores many users in one transaction. A user that cannot be stored fails alone. The outcomes are in the order of
  /// `requests`.
  ///
  /// A request with an id is recorded in the same transaction. The record lasts for ``CreateRequest/retention``, or
  /// until the user's password changes. A retry with that id stores nothing: its outcome is the user as first created,
  /// or `UserError.invalid` if the address or the name differs.
  ///
  /// `authority` is checked inside the transaction; nil for a caller without a token.
  ///
  /// - Throws: `UserError.unauthenticated` if the authority is no longer valid, `.storage`, `.overloaded`,
  ///   `.cancelled`, `.shuttingDown`. Then no user was stored.
  func create(
    _ requests: [CreateRequest], by authority: WriteAuthority?
  ) async throws(UserError) -> [Result<Creation, UserError>]

  /// Changes one user and returns it as stored. `authority` is checked inside the transaction; nil for a caller without
  /// a token.
  ///
  /// - Throws: `UserError.unauthenticated` if the authority is no longer valid, `.notFound`, `.emailAlreadyRegistered`,
  ///   `.storage`, `.overloaded`, `.cancelled`, `.shuttingDown`.
  func update(
    _ id: UserID, _ changes: UserChanges, by authority: WriteAuthority?
  ) async throws(UserError) -> User
}

extension UserRepository {
  /// Returns the user with this id, or nil.
  ///
  /// - Throws: `UserError.storage`.
  public func user(id: UserID) throws(UserError) -> User? {
    var user: User?
    _ = try readUser(id: id) { user = User($0, email: $1, name: $2) }
    return user
  }

  /// Stores many users for a caller without a token.
  ///
  /// - Throws: the errors of ``create(_:by:)``.
  public func create(_ requests: [CreateRequest]) async throws(UserError) -> [Result<Creation, UserError>] {
    try await create(requests, by: nil)
  }

  /// Stores many users, by requests without ids.
  ///
  /// - Throws: the errors of ``create(_:by:)``.
  public func create(_ users: [NewUser]) async throws(UserError) -> [Result<User, UserError>] {
    try await create(users.map { CreateRequest($0) }).map { $0.map(\.user) }
  }

  /// Stores one user, unless the request is a retry.
  ///
  /// - Throws: the errors of ``create(_:by:)``, and the failure of the request itself.
  public func create(_ request: CreateRequest) async throws(UserError) -> Creation {
    // One request has one outcome.
    try await create([request])[0].get()
  }

  /// Changes one user for a caller without a token.
  ///
  /// - Throws: the errors of ``update(_:_:by:)``.
  public func update(_ id: UserID, _ changes: UserChanges) async throws(UserError) -> User {
    try await update(id, changes, by: nil)
  }
}
