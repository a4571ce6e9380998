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
  /// When the store accepted the user, or when the system that it comes from did.
  public let createdAt: Timestamp
  /// When the user was last changed; ``createdAt`` until then.
  public let updatedAt: Timestamp
  /// When the user was deleted, and when it will be purged; nil unless it is deleted.
  public let deletion: UserDeletion?
  /// The labels.
  public let labels: UserLabels

  /// Creates a user from its stored parts. It was never changed if `updatedAt` is nil.
  public init(
    id: UserID, email: EmailAddress, name: UserName, status: UserStatus, createdAt: Timestamp,
    updatedAt: Timestamp? = nil, deletion: UserDeletion? = nil, labels: UserLabels = UserLabels()
  ) {
    self.id = id
    self.email = email
    self.name = name
    self.status = status
    self.createdAt = createdAt
    self.updatedAt = updatedAt ?? createdAt
    self.deletion = deletion
    self.labels = labels
  }

  /// Whether the user is active and not deleted.
  public var maySignIn: Bool { status == .active && deletion == nil }

  /// The current version.
  public var version: UserVersion { UserVersion(updatedAt) }
}

extension User {
  /// Returns the user as it is after `changes` at `updatedAt`.
  public func with(_ changes: UserChanges, updatedAt: Timestamp) -> User {
    User(
      id: id, email: changes.email ?? email, name: changes.name ?? name, status: changes.status ?? status,
      createdAt: createdAt, updatedAt: updatedAt, deletion: deletion, labels: changes.labels ?? labels)
  }

  /// Returns the user with this deletion, or none, since `updatedAt`.
  public func with(deletion: UserDeletion?, updatedAt: Timestamp) -> User {
    User(
      id: id, email: email, name: name, status: status, createdAt: createdAt, updatedAt: updatedAt,
      deletion: deletion, labels: labels)
  }
}

/// The deletion of a user, which can be undone until the user is purged.
public struct UserDeletion: Hashable, Sendable {
  /// The retention of deleted users by default: 30 days.
  public static let defaultRetention: Duration = .seconds(30 * 86_400)

  /// When the user was deleted.
  public let deletedAt: Timestamp
  /// When the user will be purged.
  public let purgeAt: Timestamp

  /// Creates a deletion.
  public init(deletedAt: Timestamp, purgeAt: Timestamp) {
    self.deletedAt = deletedAt
    self.purgeAt = purgeAt
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
  /// The labels.
  public let labels: UserLabels

  /// Creates an active user to be stored.
  public init(
    email: EmailAddress, name: UserName, passwordHash: PasswordHash? = nil, labels: UserLabels = UserLabels()
  ) {
    self.email = email
    self.name = name
    self.passwordHash = passwordHash
    self.labels = labels
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
  /// The new labels, in place of all others.
  public var labels: UserLabels?
  /// Whether the status `active` of a user that is active ends what failed attempts at its password have led to.
  public var unlocks = true

  /// Creates changes of the fields that are not nil.
  public init(
    email: EmailAddress? = nil, name: UserName? = nil, status: UserStatus? = nil,
    password: PasswordChange? = nil, labels: UserLabels? = nil
  ) {
    self.email = email
    self.name = name
    self.status = status
    self.password = password
    self.labels = labels
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
