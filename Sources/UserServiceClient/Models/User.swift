public import Foundation

/// A user as the service keeps it.
public struct User: Hashable, Sendable, Identifiable {
  /// Whether the user may use the service.
  public enum Status: Hashable, Sendable {
    /// The user may sign in. What a user is when created.
    case active
    /// The user is kept but may not sign in.
    case inactive
    /// A status that a newer service has and this library does not know: its number in `user.v1.UserStatus`.
    case unknown(Int)
  }

  /// A UUIDv7 in lower case. Ids ascend in the order in which users were created.
  public let id: String
  /// The address, unique among users whatever the letter case.
  public let email: String
  /// The name, possibly empty.
  public let name: String
  /// Whether the user may use the service.
  public let status: Status
  /// When the user was created, to the microsecond.
  public let createdAt: Date

  /// A user made of its parts, for tests of what uses the client.
  public init(id: String, email: String, name: String, status: Status = .active, createdAt: Date) {
    self.id = id
    self.email = email
    self.name = name
    self.status = status
    self.createdAt = createdAt
  }
}

/// A user to be created.
public struct NewUser: Hashable, Sendable {
  /// The address: at most 64 bytes before the `@` and 254 in all.
  public var email: String
  /// The name: at most 256 characters, none of them a control character; may be empty.
  public var name: String
  /// The password: 8 to 1,024 bytes; nil for a user who cannot sign in by password.
  public var password: String?

  /// A user to be created.
  public init(email: String, name: String = "", password: String? = nil) {
    self.email = email
    self.name = name
    self.password = password
  }
}

extension NewUser: CustomStringConvertible {
  /// The address and the name; never the password.
  public var description: String { "NewUser(\(email), \(name))" }
}

/// Changes to a user; nil leaves a field as it is.
public struct UserUpdate: Hashable, Sendable {
  /// What an update does with the password.
  public enum Password: Hashable, Sendable {
    /// From now on the user signs in with this one.
    case set(String)
    /// From now on the user cannot sign in by password.
    case remove
  }

  /// Whom to change.
  public var userID: String
  /// The new address.
  public var email: String?
  /// The new name.
  public var name: String?
  /// The new status. `inactive` ends every token of the user.
  public var status: User.Status?
  /// What becomes of the password. Either change ends every token of the user.
  public var password: Password?

  /// Changes to the fields that are not nil.
  public init(
    userID: String, email: String? = nil, name: String? = nil, status: User.Status? = nil,
    password: Password? = nil
  ) {
    self.userID = userID
    self.email = email
    self.name = name
    self.status = status
    self.password = password
  }
}

extension UserUpdate.Password: CustomStringConvertible {
  /// What becomes of it; never the password.
  public var description: String {
    switch self {
    case .set: "set"
    case .remove: "remove"
    }
  }
}

extension User.Status: CustomStringConvertible {
  /// `active`, `inactive`, or the number of one that is not known.
  public var description: String {
    switch self {
    case .active: "active"
    case .inactive: "inactive"
    case .unknown(let number): String(number)
    }
  }
}
