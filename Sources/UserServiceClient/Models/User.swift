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

  /// A UUID in lower case: a UUIDv7, whose order is that of creation, unless the user was imported with another.
  public let id: String
  /// The address, unique among users regardless of letter case.
  public let email: String
  /// The name, possibly empty.
  public let name: String
  /// Whether the user may use the service.
  public let status: Status
  /// When the user was created, to the microsecond.
  public let createdAt: Date
  /// When the user was last changed, to the microsecond; ``createdAt`` until then.
  public let updatedAt: Date
  /// When the user was deleted; nil unless it is.
  public let deletedAt: Date?
  /// When a deleted user will be purged; nil unless it is deleted.
  public let purgeAt: Date?
  /// Opaque, and different after every change of the user; empty for a user of a service that has none.
  public let etag: String
  /// At most 16 values of up to 128 bytes, by keys that are DNS labels.
  public let labels: [String: String]

  /// Creates a user from its parts, for tests of code that uses the client.
  ///
  /// - Parameter updatedAt: the time of the last change; nil stands for `createdAt`.
  public init(
    id: String, email: String, name: String, status: Status = .active, createdAt: Date,
    updatedAt: Date? = nil,
    deletedAt: Date? = nil, purgeAt: Date? = nil, etag: String = "", labels: [String: String] = [:]
  ) {
    self.id = id
    self.email = email
    self.name = name
    self.status = status
    self.createdAt = createdAt
    self.updatedAt = updatedAt ?? createdAt
    self.deletedAt = deletedAt
    self.purgeAt = purgeAt
    self.etag = etag
    self.labels = labels
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
