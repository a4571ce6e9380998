/// The authority under which a call writes. It must still hold at the time of the write, whatever has happened since
/// the call was admitted.
public struct WriteAuthority: Sendable {
  /// A user whose token a call has presented.
  public struct Bearer: Hashable, Sendable {
    /// The user, which must still be active.
    public let userID: UserID
    /// The epoch of the token, which must still be the user's.
    public let epoch: Int64

    /// Creates the bearer of a token of this epoch.
    public init(userID: UserID, epoch: Int64) {
      self.userID = userID
      self.epoch = epoch
    }
  }

  /// The user; nil for a service.
  public let bearer: Bearer?
  private let recheck: (@Sendable () throws(UserError) -> Void)?

  /// Creates the authority of a token.
  ///
  /// - Parameter recheck: checks the token again, within microseconds and on any thread; it throws
  ///   `UserError.unauthenticated`.
  public init(bearer: Bearer?, recheck: @escaping @Sendable () throws(UserError) -> Void) {
    self.bearer = bearer
    self.recheck = recheck
  }

  /// Creates the authority of a user's token that only the store checks.
  public init(userID: UserID, epoch: Int64) {
    bearer = Bearer(userID: userID, epoch: epoch)
    recheck = nil
  }

  /// Checks what the store cannot: that the token has not expired, is not revoked, and its key is still trusted. The
  /// store calls it inside the writing transaction, so that nothing is stored after the token is known to be invalid.
  ///
  /// - Throws: `UserError.unauthenticated`.
  public func check() throws(UserError) { try recheck?() }
}
