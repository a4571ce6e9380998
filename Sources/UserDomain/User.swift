/// Whether a user may use the service. Raw values are those of `user.v1.UserStatus` and of the database.
public enum UserStatus: Int, Hashable, Sendable, CaseIterable {
  /// The user may sign in.
  case active = 1
  /// The user is kept but may not sign in.
  case inactive = 2
}

/// A user as stored.
public struct User: Hashable, Sendable, Identifiable {
  /// The user's identity, given by the store; greater than that of every user committed before.
  public let id: UserID
  /// The address, unique among users regardless of letter case.
  public let email: EmailAddress
  /// The name, possibly empty.
  public let name: UserName
  /// Whether the user may use the service.
  public let status: UserStatus
  /// When the store accepted the user.
  public let createdAt: Timestamp

  /// A user made of its stored parts.
  public init(id: UserID, email: EmailAddress, name: UserName, status: UserStatus, createdAt: Timestamp) {
    self.id = id
    self.email = email
    self.name = name
    self.status = status
    self.createdAt = createdAt
  }
}

/// A user to be stored: validated, the password hashed, without an id yet.
public struct NewUser: Hashable, Sendable {
  /// The address.
  public let email: EmailAddress
  /// The name, possibly empty.
  public let name: UserName
  /// The password's hash, or nil for an account that cannot sign in by password.
  public let passwordHash: PasswordHash?

  /// An active user to be stored.
  public init(email: EmailAddress, name: UserName, passwordHash: PasswordHash? = nil) {
    self.email = email
    self.name = name
    self.passwordHash = passwordHash
  }
}

/// The changes that an update makes to a user; nil leaves a field as it is.
public struct UserChanges: Hashable, Sendable {
  /// What an update does with the password.
  public enum PasswordChange: Hashable, Sendable {
    /// From now on the user signs in with the password of this hash.
    case replace(PasswordHash)
    /// From now on the user cannot sign in by password.
    case remove
  }

  /// The new address.
  public var email: EmailAddress?
  /// The new name.
  public var name: UserName?
  /// The new status.
  public var status: UserStatus?
  /// What becomes of the password.
  public var password: PasswordChange?

  /// Changes to the fields that are not nil.
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

/// What a sign-in is checked against.
public struct Credential: Hashable, Sendable {
  /// The user who owns the address.
  public let user: User
  /// The password's hash, or nil for an account that cannot sign in by password.
  public let passwordHash: PasswordHash?
  /// The epoch of the user's tokens, which changes with the password.
  public let epoch: Int64

  /// A credential made of its stored parts.
  public init(user: User, passwordHash: PasswordHash?, epoch: Int64) {
    self.user = user
    self.passwordHash = passwordHash
    self.epoch = epoch
  }
}
