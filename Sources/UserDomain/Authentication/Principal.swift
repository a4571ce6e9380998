/// Who calls, and what it may do.
public struct Principal: Hashable, Sendable {
  /// Who it is, as its token says: the id of a user, or the name of a service.
  public let subject: String
  /// What it may do to every user.
  public let scopes: Scopes
  /// The user that it is, who may read and update itself; nil for a service.
  public let userID: UserID?

  /// The principal that a token names.
  ///
  /// - Parameter mayBeUser: whether a `subject` that is a user's id makes the principal that user.
  public init(subject: String, scopes: Scopes, mayBeUser: Bool = true) {
    self.subject = subject
    self.scopes = scopes
    userID = mayBeUser ? UserID(subject) : nil
  }

  /// A caller without a token.
  public static let anonymous = Principal(subject: "anonymous", scopes: [])
  /// Every caller, while authentication is off.
  public static let unrestricted = Principal(subject: "unrestricted", scopes: [.usersRead, .usersWrite])

  /// Checks that the principal has `scope`.
  ///
  /// - Throws: `UserError.permissionDenied`.
  public func require(_ scope: Scopes) throws(UserError) {
    guard scopes.contains(scope) else { throw .permissionDenied(missing: scope) }
  }

  /// Checks that the principal has `scope`, or is the user with this id; nil is no user's.
  ///
  /// - Throws: `UserError.permissionDenied`.
  public func require(_ scope: Scopes, orBe id: UserID?) throws(UserError) {
    if scopes.contains(scope) { return }
    guard let userID, userID == id else { throw .permissionDenied(missing: scope) }
  }
}
