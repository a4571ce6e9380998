/// The user on whose authority something is written: it must still be active, and its tokens in the same
/// epoch, when the write is made, whatever happened since the call was let through.
public struct WriteAuthority: Hashable, Sendable {
  /// The user.
  public let userID: UserID
  /// The epoch of the token that it has shown.
  public let epoch: Int64

  /// The authority of a user's token.
  public init(userID: UserID, epoch: Int64) {
    self.userID = userID
    self.epoch = epoch
  }
}
