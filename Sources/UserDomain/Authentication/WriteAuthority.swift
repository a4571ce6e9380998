/// On whose authority something is written, and what must hold when it is, whatever happened since the call was let
/// through.
public struct WriteAuthority: Sendable {
  /// A user whose token a call has shown.
  public struct Bearer: Hashable, Sendable {
    /// The user, who must still be active.
    public let userID: UserID
    /// The epoch of the token, which must still be the user's.
    public let epoch: Int64

    /// The bearer of a token of that epoch.
    public init(userID: UserID, epoch: Int64) {
      self.userID = userID
      self.epoch = epoch
    }
  }

  /// The user; nil for a service.
  public let bearer: Bearer?
  private let recheck: (@Sendable () throws(UserError) -> Void)?

  /// The authority of a token.
  ///
  /// - Parameter recheck: checks the token again, within microseconds and on any thread; it throws
  ///   `UserError.unauthenticated`.
  public init(bearer: Bearer?, recheck: @escaping @Sendable () throws(UserError) -> Void) {
    self.bearer = bearer
    self.recheck = recheck
  }

  /// The authority of a user's token, as far as the store knows of it.
  public init(userID: UserID, epoch: Int64) {
    bearer = Bearer(userID: userID, epoch: epoch)
    recheck = nil
  }

  /// Checks what the store does not know: whether the token has expired, was revoked, or its key is gone. The store
  /// calls it inside the transaction that writes, so that nothing is stored after such an end is known.
  ///
  /// - Throws: `UserError.unauthenticated`.
  public func check() throws(UserError) { try recheck?() }
}
