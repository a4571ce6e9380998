/// Changes to a user; nil leaves a field unchanged.
public struct UserUpdate: Hashable, Sendable {
  /// The effect of an update on the password.
  public enum Password: Hashable, Sendable {
    /// Sets the password.
    case set(String)
    /// Removes the password; the user can no longer sign in by password.
    case remove
  }

  /// The id of the user to change.
  public var userID: String
  /// The new address.
  public var email: String?
  /// The new name.
  public var name: String?
  /// The new status. `inactive` revokes every token of the user.
  public var status: User.Status?
  /// The effect on the password. Either change revokes every token of the user.
  public var password: Password?

  /// The current password. Users who change their own address or password must give it; callers with the scope
  /// `users:write` need not.
  public var currentPassword: String?
  /// The ``User/etag`` that the user must have, so that no change by another caller is overwritten; nil: any.
  public var etag: String?

  /// Creates an update that changes the fields that are not nil.
  public init(
    userID: String, email: String? = nil, name: String? = nil, status: User.Status? = nil,
    password: Password? = nil, currentPassword: String? = nil, etag: String? = nil
  ) {
    self.userID = userID
    self.email = email
    self.name = name
    self.status = status
    self.password = password
    self.currentPassword = currentPassword
    self.etag = etag
  }
}

extension UserUpdate: CustomStringConvertible {
  /// The user's id and the names of the changed fields, without passwords.
  public var description: String {
    let fields = [
      email.map { _ in "email" }, name.map { _ in "name" }, status.map { _ in "status" },
      password.map { "password: \($0)" },
    ]
    return "UserUpdate(\(userID): \(fields.compactMap { $0 }.joined(separator: ", ")))"
  }
}

extension UserUpdate.Password: CustomStringConvertible {
  /// The kind of change, without the password.
  public var description: String {
    switch self {
    case .set: "set"
    case .remove: "remove"
    }
  }
}
