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
