/// Where users are kept.
///
/// Reads answer on the calling thread and take microseconds, so an event loop may call them. Writes are
/// async: each returns once it is durable, or throws having stored nothing. A write whose task is cancelled
/// while it waits throws `UserError.cancelled`; one that has begun is carried through.
///
/// Ids are given in the order in which writes commit, so whoever has seen a user has seen, or can page to,
/// every user with a smaller id.
public protocol UserRepository: Sendable {
  /// Calls `body` with the user with that id. Returns whether there is one.
  ///
  /// - Throws: `UserError.storage`, before `body` is called.
  func readUser(id: UserID, _ body: UserReader) throws(UserError) -> Bool

  /// The user with that address in any letter case and the password's hash, or nil.
  ///
  /// - Throws: `UserError.storage`.
  func credential(email: EmailAddress) throws(UserError) -> Credential?

  /// The greatest id in the store, or nil when it is empty.
  ///
  /// - Throws: `UserError.storage`.
  func newestUserID() throws(UserError) -> UserID?

  /// Calls `body` with each of at most `limit` users with ids greater than `after` (nil: from the first) and
  /// at most `through`, ascending.
  ///
  /// - Throws: `UserError.storage`, possibly after some users.
  func readUsers(
    after: UserID?, through: UserID, limit: Int, _ body: UserReader
  ) throws(UserError)

  /// Stores one user.
  ///
  /// - Throws: `UserError.emailAlreadyRegistered`, `.storage`, `.overloaded`, `.cancelled`, `.shuttingDown`.
  func create(_ user: NewUser) async throws(UserError) -> User

  /// Stores many users in one transaction. A user that cannot be stored fails alone: the outcomes are in the
  /// order of `requests`.
  ///
  /// A request with an id is remembered, in the same transaction, for ``CreateRequest/memory`` or until the
  /// password of its user changes. Made again with that id it stores nothing: its outcome is the user as first
  /// created, or `UserError.invalid` if the address or the name was another.
  ///
  /// `authority` is checked inside of the transaction; nil for a caller without a token.
  ///
  /// - Throws: `UserError.unauthenticated` if the authority has ended, `.storage`, `.overloaded`, `.cancelled`,
  ///   `.shuttingDown`, when none was stored.
  func create(
    _ requests: [CreateRequest], by authority: WriteAuthority?
  ) async throws(UserError) -> [Result<Creation, UserError>]

  /// Changes one user and returns it as stored. `authority` is checked inside of the transaction; nil for a caller
  /// without a token.
  ///
  /// - Throws: `UserError.unauthenticated` if the authority has ended, `.notFound`,
  ///   `.emailAlreadyRegistered`, `.storage`, `.overloaded`, `.cancelled`, `.shuttingDown`.
  func update(
    _ id: UserID, _ changes: UserChanges, by authority: WriteAuthority?
  ) async throws(UserError) -> User
}

extension UserRepository {
  /// The user with that id, or nil.
  ///
  /// - Throws: `UserError.storage`.
  public func user(id: UserID) throws(UserError) -> User? {
    var user: User?
    _ = try readUser(id: id) { user = User($0, email: $1, name: $2) }
    return user
  }

  /// Stores many users for a caller without a token.
  ///
  /// - Throws: what ``create(_:by:)`` throws.
  public func create(_ requests: [CreateRequest]) async throws(UserError) -> [Result<Creation, UserError>] {
    try await create(requests, by: nil)
  }

  /// Stores many users, as requests that have no id.
  ///
  /// - Throws: what ``create(_:by:)`` throws.
  public func create(_ users: [NewUser]) async throws(UserError) -> [Result<User, UserError>] {
    try await create(users.map { CreateRequest($0) }).map { $0.map(\.user) }
  }

  /// Stores one user, unless the request was made before.
  ///
  /// - Throws: what ``create(_:by:)`` throws, and the failure of the request itself.
  public func create(_ request: CreateRequest) async throws(UserError) -> Creation {
    // One outcome for one request.
    try await create([request])[0].get()
  }

  /// Changes one user for a caller without a token.
  ///
  /// - Throws: what ``update(_:_:by:)`` throws.
  public func update(_ id: UserID, _ changes: UserChanges) async throws(UserError) -> User {
    try await update(id, changes, by: nil)
  }
}
