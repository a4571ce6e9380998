/// The store of users.
///
/// A read may wait, as for a network; one that never waits is in ``ImmediateUserReads``, too. Every read sees all writes
/// of this process that returned before it began. A read whose task is cancelled while it waits throws
/// `UserError.cancelled`. A reader (``UserReader``) is called on the calling task, and not while the read waits: what it
/// is lent cannot be kept across a suspension.
///
/// A write returns once it is durable, or throws having stored nothing. A write whose task is cancelled while it waits
/// throws `UserError.cancelled`; a write that has begun completes.
///
/// Ids are assigned in commit order: a reader that has seen a user can read every user with a smaller id, unless it was
/// imported.
public protocol UserRepository: Sendable {
  /// Calls `body` with the user with this id, unless it is deleted and `showsDeleted` is false. Returns whether it was
  /// called.
  ///
  /// - Throws: `UserError.storage`, `.cancelled`, `.shuttingDown`, before `body` is called.
  func readUser(id: UserID, showsDeleted: Bool, _ body: UserReader) async throws(UserError) -> Bool

  /// Calls `body` with the user with this address in any letter case, unless it is deleted and `showsDeleted` is false.
  /// Returns whether it was called.
  ///
  /// - Throws: `UserError.storage`, `.cancelled`, `.shuttingDown`, before `body` is called.
  func readUser(email: EmailAddress, showsDeleted: Bool, _ body: UserReader) async throws(UserError) -> Bool

  /// Returns the user with this id, or nil if it is unknown or deleted.
  ///
  /// - Throws: `UserError.storage`, `.cancelled`, `.shuttingDown`.
  func user(id: UserID) async throws(UserError) -> User?

  /// Returns the users with these ids, by id, except for unknown ones, and deleted ones unless `showsDeleted`.
  ///
  /// - Throws: `UserError.storage`, `.cancelled`, `.shuttingDown`.
  func users(ids: [UserID], showsDeleted: Bool) async throws(UserError) -> [UserID: User]

  /// Returns the hashes of the passwords of users that have one, by id.
  ///
  /// - Throws: `UserError.storage`, `.cancelled`, `.shuttingDown`.
  func passwordHashes(of users: [UserID]) async throws(UserError) -> [UserID: PasswordHash]

  /// Returns the user with this address in any letter case that is not deleted, and the password's hash, or nil.
  ///
  /// - Throws: `UserError.storage`, `.cancelled`, `.shuttingDown`.
  func credential(email: EmailAddress) async throws(UserError) -> Credential?

  /// Returns the place of the user that comes last in the order of creation (``UserPlace``), or nil if the store is empty.
  ///
  /// - Throws: `UserError.storage`, `.cancelled`, `.shuttingDown`.
  func lastPlace() async throws(UserError) -> UserID?

  /// Calls `body` with at most `limit` users that `query` is about, in the order of its filter, after the position `after`
  /// (nil: from the first) and with places up to `through`. Looks at a limited number of users, so that a filter that few
  /// users pass does not take long.
  ///
  /// - Throws: `UserError.storage`, `.cancelled`, `.shuttingDown`, possibly after some users.
  func readUsers(
    _ query: UserQuery, after: ListingPosition?, through: UserID, limit: Int, _ body: UserReader
  ) async throws(UserError) -> UsersRead

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

  /// Stores many users as another system had them, in one transaction: all, or the first of them when other writes wait.
  /// Returns the outcomes of those, at least one; the caller stores the rest next. A user that cannot be stored fails
  /// alone: `UserError.emailAlreadyRegistered`, `.idTaken`. The outcomes are in the order of `users`.
  ///
  /// A user that is stored already, with the same id and address, or the same address and no id of its own, is left
  /// unchanged. `authority` is checked inside the transaction; nil for a caller without a token.
  ///
  /// - Throws: `UserError.unauthenticated` if the authority is no longer valid, `.storage`, `.overloaded`, `.cancelled`,
  ///   `.shuttingDown`. Then no user was stored.
  func importUsers(
    _ users: ArraySlice<ForeignUser>, by authority: WriteAuthority?
  ) async throws(UserError) -> [Result<UserImport, UserError>]

  /// Returns the hash of a user's password, or nil.
  ///
  /// - Throws: `UserError.storage`, `.cancelled`, `.shuttingDown`.
  func passwordHash(of user: UserID) async throws(UserError) -> PasswordHash?

  /// Changes one user, which is not deleted, and returns it as stored.
  ///
  /// - Throws: `UserError.notFound`, `.emailAlreadyRegistered`, and the errors of every ``UserWrite``.
  func update(_ id: UserID, _ changes: UserChanges, _ write: UserWrite) async throws(UserError) -> User

  /// Deletes one user, as `removal` says, and returns it as deleted. Its tokens and sessions end in the same transaction.
  ///
  /// - Throws: `UserError.notFound`, and the errors of every ``UserWrite``.
  func delete(_ id: UserID, _ removal: UserRemoval, _ write: UserWrite) async throws(UserError) -> User

  /// Makes a deleted user one that is not, and returns it.
  ///
  /// - Throws: `UserError.notFound`, `.notDeleted`, and the errors of every ``UserWrite``.
  func undelete(_ id: UserID, _ write: UserWrite) async throws(UserError) -> User
}

/// What a change of one user depends on, whatever the change is. All of it is checked inside the transaction.
///
/// Every such change may throw `UserError.unauthenticated` if the authority has become invalid, `.versionMismatch`,
/// `.wrongCurrentPassword` if the password has changed since it was proven, `.storage`, `.overloaded`, `.cancelled` and `.shuttingDown`.
public struct UserWrite: Sendable {
  /// The version that the user must have; nil: any.
  public var version: UserVersion?
  /// The authority of the caller; nil for a caller without a token.
  public var authority: WriteAuthority?
  /// The hash that the current password in the request matches, which must still be the user's; nil if none was given.
  public var provenHash: PasswordHash?

  /// Creates the conditions of a change, by default none.
  public init(
    version: UserVersion? = nil, by authority: WriteAuthority? = nil, provenHash: PasswordHash? = nil
  ) {
    self.version = version
    self.authority = authority
    self.provenHash = provenHash
  }
}

/// How a user is deleted.
public enum UserRemoval: Hashable, Sendable {
  /// The user stays for `retention`, and can be undeleted. A user that is already deleted is left as it is and returned
  /// if `allowsDeleted`, else not found.
  case soft(retention: Duration, allowsDeleted: Bool)
  /// The user is erased, also if it is already deleted.
  case expunge
}

extension UserRepository {
  /// Reads one user after another.
  public func users(ids: [UserID], showsDeleted: Bool) async throws(UserError) -> [UserID: User] {
    var users: [UserID: User] = [:]
    for id in ids {
      _ = try await readUser(id: id, showsDeleted: showsDeleted) { users[id] = User($0, email: $1, name: $2) }
    }
    return users
  }

  /// Reads one hash after another.
  public func passwordHashes(of users: [UserID]) async throws(UserError) -> [UserID: PasswordHash] {
    var hashes: [UserID: PasswordHash] = [:]
    for user in users { hashes[user] = try await passwordHash(of: user) }
    return hashes
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
  /// - Throws: the errors of ``update(_:_:_:)``.
  public func update(_ id: UserID, _ changes: UserChanges) async throws(UserError) -> User {
    try await update(id, changes, UserWrite())
  }
}
