/// Whether a user may use the service. The raw values are those of `user.v1.UserStatus` and of the database.
public enum UserStatus: Int, Hashable, Sendable, CaseIterable {
  /// The user may sign in.
  case active = 1
  /// The user is kept but may not sign in.
  case inactive = 2
}

/// A user as stored.
public struct User: Hashable, Sendable, Identifiable {
  /// The user's id, assigned by the store; greater than that of every user committed before.
  public let id: UserID
  /// The address, unique among users regardless of letter case.
  public let email: EmailAddress
  /// The name, possibly empty.
  public let name: UserName
  /// Whether the user may use the service.
  public let status: UserStatus
  /// When the store accepted the user.
  public let createdAt: Timestamp

  /// Creates a user from its stored parts.
  public init(id: UserID, email: EmailAddress, name: UserName, status: UserStatus, createdAt: Timestamp) {
    self.id = id
    self.email = email
    self.name = name
    self.status = status
    self.createdAt = createdAt
  }
}

/// A user to be stored: validated, the password hashed, without an id.
public struct NewUser: Hashable, Sendable {
  /// The address.
  public let email: EmailAddress
  /// The name, possibly empty.
  public let name: UserName
  /// The password's hash, or nil for an account that cannot sign in by password.
  public let passwordHash: PasswordHash?

  /// Creates an active user to be stored.
  public init(email: EmailAddress, name: UserName, passwordHash: PasswordHash? = nil) {
    self.email = email
    self.name = name
    self.passwordHash = passwordHash
  }
}

/// The changes of an update; nil leaves a field unchanged.
public struct UserChanges: Hashable, Sendable {
  /// The change of a password.
  public enum PasswordChange: Hashable, Sendable {
    /// The user signs in with the password of this hash from then on.
    case replace(PasswordHash)
    /// The user can no longer sign in by password.
    case remove
  }

  /// The new address.
  public var email: EmailAddress?
  /// The new name.
  public var name: UserName?
  /// The new status.
  public var status: UserStatus?
  /// The change of the password.
  public var password: PasswordChange?

  /// Creates changes of the fields that are not nil.
  public init(
    email: EmailAddress? = nil, name: UserName? = nil, status: UserStatus? = nil,
    password: PasswordChange? = nil
  ) {
    self.email = email
    self.name = name
    self.status = status
    self.password = password
  }
}

/// The stored data that a sign-in is checked against.
public struct Credential: Hashable, Sendable {
  /// The user with the address.
  public let user: User
  /// The password's hash, or nil for an account that cannot sign in by password.
  public let passwordHash: PasswordHash?
  /// The epoch of the user's tokens, which changes with the password.
  public let epoch: Int64

  /// Creates a credential from its stored parts.
  public init(user: User, passwordHash: PasswordHash?, epoch: Int64) {
    self.user = user
    self.passwordHash = passwordHash
    self.epoch = epoch
  }
}
