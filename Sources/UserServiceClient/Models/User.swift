public import Foundation

/// A user as stored by the service.
public struct User: Hashable, Sendable, Identifiable {
  /// Whether the user may use the service.
  public enum Status: Hashable, Sendable {
    /// The user may sign in; the status of a new user.
    case active
    /// The user is stored but may not sign in.
    case inactive
    /// A status of a newer service that this library does not know, by its number in `user.v1.UserStatus`.
    case unknown(Int)
  }

  /// A UUIDv7 in lower case. Ids ascend in the order of creation.
  public let id: String
  /// The address, unique among users regardless of letter case.
  public let email: String
  /// The name, possibly empty.
  public let name: String
  /// Whether the user may use the service.
  public let status: Status
  /// When the user was created, to the microsecond.
  public let createdAt: Date

  /// Creates a user from its parts, for tests of code that uses the client.
  public init(id: String, email: String, name: String, status: Status = .active, createdAt: Date) {
    self.id = id
    self.email = email
    self.name = name
    self.status = status
    self.createdAt = createdAt
  }
}

extension User.Status: CustomStringConvertible {
  /// `active`, `inactive`, or the number of an unknown status.
  public var description: String {
    switch self {
    case .active: "active"
    case .inactive: "inactive"
    case .unknown(let number): String(number)
    }
  }
}
