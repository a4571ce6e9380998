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

  /// The password that the user has now. Users who change their own address or password have to give it; callers with
  /// the scope `users:write` need not.
  public var currentPassword: String?

  /// Changes to the fields that are not nil.
  public init(
    userID: String, email: String? = nil, name: String? = nil, status: User.Status? = nil,
    password: Password? = nil, currentPassword: String? = nil
  ) {
    self.userID = userID
    self.email = email
    self.name = name
    self.status = status
    self.password = password
    self.currentPassword = currentPassword
  }
}

extension UserUpdate: CustomStringConvertible {
  /// Whom it changes, and which fields; never a password.
  public var description: String {
    let fields = [
      email.map { _ in "email" }, name.map { _ in "name" }, status.map { _ in "status" },
      password.map { "password: \($0)" },
    ]
    return "UserUpdate(\(userID): \(fields.compactMap { $0 }.joined(separator: ", ")))"
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
