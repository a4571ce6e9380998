/// Where failed attempts with passwords are counted, and devices that have signed in are known.
///
/// Every write is durable when it returns, and throws `UserError.storage`, `.overloaded`, `.cancelled` and
/// `.shuttingDown`, having stored nothing. Reads answer on the calling thread and throw `UserError.storage`.
public protocol SignInAttemptRepository: Sendable {
  /// What has failed before at `account`, from `source` and from all networks, as of `now`.
  func history(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) throws(UserError) -> SignInHistory

  /// The user that the device with that session has signed in as, or nil if the device is not known.
  func deviceUser(_ session: SessionID) throws(UserError) -> UserID?

  /// Counts a failure, which was answered at `now`.
  func noteFailure(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) async throws(UserError)

  /// Forgets the failures of `source`, and those of the account from all networks together: its password was right.
  func forgetFailures(of account: SignInAccount, from source: SignInSource) async throws(UserError)

  /// Forgets every failure at a user's account, so that its password may be tried again from everywhere.
  ///
  /// - Returns: how many failures in a row there were, from all networks together.
  @discardableResult
  func unlock(_ user: UserID) async throws(UserError) -> Int
}
