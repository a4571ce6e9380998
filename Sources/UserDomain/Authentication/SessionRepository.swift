/// The store of sessions. Every write is durable when it returns.
///
/// Every method can throw `UserError.storage`, `.overloaded`, `.cancelled` and `.shuttingDown`, having stored nothing.
public protocol SessionRepository: Sendable {
  /// Stores a session. It resets the failure counts of `source` at the user's account and of the account itself. From
  /// then on the session identifies the device.
  ///
  /// - Throws: `UserError.wrongCredentials` if the user is inactive, or its epoch is no longer `epoch`: the password
  ///   that was checked is an old one.
  func create(_ session: Session, epoch: Int64, from source: SignInSource) async throws(UserError)

  /// Continues a session as ``SessionRefresh/decide(about:)`` decides.
  ///
  /// - Returns: the resulting session, and its user's epoch.
  /// - Throws: `UserError.unauthenticated`: `untrusted` for an unknown session, or the decided fault.
  func refresh(_ refresh: SessionRefresh) async throws(UserError) -> (session: Session, epoch: Int64)

  /// Ends a session and its access tokens. A session that has already ended is left unchanged.
  func end(_ session: SessionID, now: Timestamp) async throws(UserError)

  /// Replaces a password's hash by another of the same password, if it is still `old`. No token is revoked.
  func upgrade(_ old: PasswordHash, to new: PasswordHash, of user: UserID) async throws(UserError)
}
