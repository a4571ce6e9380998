public import Foundation

/// A user as one system hands it to another: with its id, times and password hash. Only the address is required.
public struct ImportedUser: Hashable, Sendable {
  /// A UUID of any version; nil: the service assigns one.
  public var id: String?
  /// As ``NewUser/email``.
  public var email: String
  /// As ``NewUser/name``.
  public var name: String
  /// Whether the user may use the service.
  public var status: User.Status
  /// When the user was created, sent to the microsecond; not in the future. Nil stands for the time of the import.
  public var createdAt: Date?
  /// When the user was last changed; neither before ``createdAt`` nor in the future. Nil stands for ``createdAt``.
  public var updatedAt: Date?
  /// When the user was deleted; nil unless it is. Needs ``purgeAt``.
  public var deletedAt: Date?
  /// When a deleted user will be purged; not before ``deletedAt``.
  public var purgeAt: Date?
  /// As ``User/labels``.
  public var labels: [String: String]
  /// A hash of the password in one of the formats that the service documents, such as a PHC string or bcrypt. Nil for a
  /// user who cannot sign in by password.
  public var passwordHash: String?
  /// The password in the clear, if its hash is not known; not together with ``passwordHash``. The rules for new passwords
  /// do not apply to it.
  public var password: String?
  /// On the last user of each page of an export: the token with which
  /// ``UserServiceClient/exportUsers(passwordHashes:from:)`` continues after this user. Nil otherwise, and not imported.
  public internal(set) var pageToken: String?

  /// Creates a user to import.
  public init(
    id: String? = nil, email: String, name: String = "", status: User.Status = .active,
    createdAt: Date? = nil,
    updatedAt: Date? = nil, deletedAt: Date? = nil, purgeAt: Date? = nil, labels: [String: String] = [:],
    passwordHash: String? = nil, password: String? = nil
  ) {
    self.id = id
    self.email = email
    self.name = name
    self.status = status
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    self.deletedAt = deletedAt
    self.purgeAt = purgeAt
    self.labels = labels
    self.passwordHash = passwordHash
    self.password = password
  }
}

extension ImportedUser: CustomStringConvertible {
  /// The address and the name, without the password and its hash.
  public var description: String { "ImportedUser(\(email), \(name))" }
}
