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
