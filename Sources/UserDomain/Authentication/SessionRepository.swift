/// Where sessions are kept. Every write is durable when it returns.
///
/// Every method throws `UserError.storage`, `.overloaded`, `.cancelled` and `.shuttingDown`, having stored
/// nothing, beside what it says itself.
public protocol SessionRepository: Sendable {
  /// Stores a session. The failures of `source` at its user's account, and those of all networks together, are
  /// forgotten, and the device is known by this session from now on.
  ///
  /// - Throws: `UserError.wrongCredentials` if the user is not active, or its epoch is not `epoch` any more:
  ///   the password that was checked is an old one.
  func create(_ session: Session, epoch: Int64, from source: SignInSource) async throws(UserError)

  /// Continues a session as ``SessionRefresh/decide(about:)`` says.
  ///
  /// - Returns: the session as it is now, and its user's epoch.
  /// - Throws: `UserError.unauthenticated`: `untrusted` if there is no such session, or as decided.
  func refresh(_ refresh: SessionRefresh) async throws(UserError) -> (session: Session, epoch: Int64)

  /// Ends a session and its access tokens. One that has ended already is left as it is.
  func end(_ session: SessionID, now: Timestamp) async throws(UserError)

  /// Replaces a password's hash by another of the same password, unless it is no longer `old`. No token ends.
  func upgrade(_ old: PasswordHash, to new: PasswordHash, of user: UserID) async throws(UserError)
}
