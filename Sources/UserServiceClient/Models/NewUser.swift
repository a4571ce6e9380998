/// A user to create.
public struct NewUser: Hashable, Sendable {
  /// The address: at most 64 bytes before the `@` and 254 in total.
  public var email: String
  /// The name: at most 256 characters without control characters; may be empty.
  public var name: String
  /// The password: at least 8 characters, or the service's own minimum, and at most 1,024 bytes. It must not be a
  /// common password, the address or the name. Nil for a user who cannot sign in by password.
  public var password: String?
  /// As ``User/labels``.
  public var labels: [String: String]

  /// Creates the description of a new user.
  public init(
    email: String, name: String = "", password: String? = nil, labels: [String: String] = [:]
  ) {
    self.email = email
    self.name = name
    self.password = password
    self.labels = labels
  }
}

extension NewUser: CustomStringConvertible {
  /// The address and the name, without the password.
  public var description: String { "NewUser(\(email), \(name))" }
}
