/// Where sessions and sign-in attempts are kept. Every write is durable when it returns.
///
/// Every method throws `UserError.storage`, `.overloaded`, `.cancelled` and `.shuttingDown`, having stored
/// nothing, beside what it says itself.
public protocol SessionRepository: Sendable {
  /// Takes note of an attempt to sign in, which counts as failed until a session is created for it. So
  /// attempts that are made at the same time count too.
  ///
  /// - Returns: the attempts before it.
  /// - Throws: `UserError.tooManyAttempts` if it has to wait; it is not counted then.
  func beginSignIn(_ account: SignInAccount, now: Timestamp) async throws(UserError) -> SignInAttempts

  /// Takes the note of the attempt that was begun at `now` back, as if it had not been made.
  func withdrawSignIn(
    _ account: SignInAccount, begun now: Timestamp, after before: SignInAttempts
  ) async throws(UserError)

  /// Stores a session, and forgets the attempts to sign in to `account`.
  ///
  /// - Throws: `UserError.wrongCredentials` if the user is not active, or its epoch is not `epoch` any more:
  ///   the password that was checked is an old one.
  func create(_ session: Session, epoch: Int64, account: SignInAccount) async throws(UserError)

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
