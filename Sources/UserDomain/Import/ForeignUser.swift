/// A user as another system had it: validated, to be stored.
public struct ForeignUser: Hashable, Sendable {
  /// The id; nil: the store assigns one.
  public var id: UserID?
  /// The address.
  public var email: EmailAddress
  /// The name, possibly empty.
  public var name: UserName
  /// The status.
  public var status: UserStatus
  /// When the user was created; nil: when it is stored.
  public var createdAt: Timestamp?
  /// When the user was last changed; nil: when it was created.
  public var updatedAt: Timestamp?
  /// When the user was deleted, and when it will be purged; nil unless it is deleted.
  public var deletion: UserDeletion?
  /// The labels.
  public var labels: UserLabels
  /// The password's hash, or nil for an account that cannot sign in by password.
  public var passwordHash: PasswordHash?

  /// Creates a user to be stored.
  public init(
    id: UserID? = nil, email: EmailAddress, name: UserName, status: UserStatus = .active,
    createdAt: Timestamp? = nil,
    updatedAt: Timestamp? = nil, deletion: UserDeletion? = nil, labels: UserLabels = UserLabels(),
    passwordHash: PasswordHash? = nil
  ) {
    self.id = id
    self.email = email
    self.name = name
    self.status = status
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    self.deletion = deletion
    self.labels = labels
    self.passwordHash = passwordHash
  }
}

/// What became of an imported user.
public struct UserImport: Hashable, Sendable {
  /// The id of the stored user.
  public let id: UserID
  /// Whether it was stored before.
  public let wasStored: Bool

  /// Creates an outcome.
  public init(id: UserID, wasStored: Bool) {
    self.id = id
    self.wasStored = wasStored
  }
}

extension ForeignUser {
  /// Returns what becomes of this user if `stored` has its address and, if it has one, its id. A deleted user keeps its
  /// address, but is not the one that is imported.
  package func outcome(asStored stored: User) -> Result<UserImport, UserError> {
    if stored.deletion != nil, deletion == nil { return .failure(.emailAlreadyRegistered) }
    return .success(UserImport(id: stored.id, wasStored: true))
  }
}
