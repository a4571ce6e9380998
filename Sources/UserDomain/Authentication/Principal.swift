/// The identity of a caller, and its rights.
public struct Principal: Hashable, Sendable {
  /// The subject of the token: a user's id, or the name of a service.
  public let subject: String
  /// The rights to all users.
  public let scopes: Scopes
  /// The user that the principal is, with the right to read and update itself; nil for a service.
  public let userID: UserID?

  /// Creates the principal that a token names.
  ///
  /// - Parameter mayBeUser: whether a `subject` in the form of a user id names that user.
  public init(subject: String, scopes: Scopes, mayBeUser: Bool = true) {
    self.subject = subject
    self.scopes = scopes
    userID = mayBeUser ? UserID(subject) : nil
  }

  /// The principal of a caller without a token.
  public static let anonymous = Principal(subject: "anonymous", scopes: [])
  /// The principal of every caller while authentication is off.
  public static let unrestricted = Principal(subject: "unrestricted", scopes: .all)

  /// Checks that the principal has `scope`.
  ///
  /// - Throws: `UserError.permissionDenied`.
  public func require(_ scope: Scopes) throws(UserError) {
    guard scopes.contains(scope) else { throw .permissionDenied(missing: scope) }
  }

  /// Checks that the principal has `scope`, or is the user with this id. nil matches no user.
  ///
  /// - Throws: `UserError.permissionDenied`.
  public func require(_ scope: Scopes, orBe id: UserID?) throws(UserError) {
    if scopes.contains(scope) { return }
    guard let userID, userID == id else { throw .permissionDenied(missing: scope) }
  }
}
