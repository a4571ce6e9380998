/// The store of failed password attempts and known devices.
///
/// Every write is durable when it returns, and throws `UserError.storage`, `.overloaded`, `.cancelled` and
/// `.shuttingDown`, having stored nothing.
///
/// A read may wait. It sees every write of this process that returned before it began. It throws `UserError.storage` and `.shuttingDown`,
/// and `.cancelled` if its task is cancelled while it waits.
public protocol SignInAttemptRepository: Sendable {
  /// Returns the earlier failures at `account`, from `source` and from all networks, as of `now`.
  func history(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) async throws(UserError) -> SignInHistory

  /// Returns the user that the device with this session signed in as, or nil for an unknown device.
  func deviceUser(_ session: SessionID) async throws(UserError) -> UserID?

  /// Counts a failure whose check finished at `now`.
  func noteFailure(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) async throws(UserError)

  /// Resets the failure counts of `source`, and of the account from all networks, after a correct password.
  func forgetFailures(of account: SignInAccount, from source: SignInSource) async throws(UserError)

  /// Resets every failure count at a user's account, so that its password may be tried from everywhere.
  ///
  /// - Returns: the number of consecutive failures, from all networks together.
  @discardableResult
  func unlock(_ user: UserID) async throws(UserError) -> Int
}
