/// A user to be created.
public struct NewUser: Hashable, Sendable {
  /// The address: at most 64 bytes before the `@` and 254 in all.
  public var email: String
  /// The name: at most 256 characters, none of them a control character; may be empty.
  public var name: String
  /// The password: at least 8 characters, or what the service wants, and at most 1,024 bytes; none of the commonest, and
  /// not the address or the name; nil for a user who cannot sign in by password.
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
