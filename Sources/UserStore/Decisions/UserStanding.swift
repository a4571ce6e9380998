public import UserDomain

/// What decides whether a user's tokens are accepted, as stored.
@usableFromInline package struct UserStanding: Hashable, Sendable {
  /// The status; nil if it is unknown to this program.
  package let status: UserStatus?
  /// The epoch that tokens must have; 0 before the first revocation.
  package let epoch: Int64

  /// Creates the standing of a user that is not deleted.
  package init(status: UserStatus?, epoch: Int64) {
    self.status = status
    self.epoch = epoch
  }

  /// Returns whether a token of `epoch` is accepted.
  @usableFromInline package func accepts(epoch: Int64) -> Bool { status == .active && epoch == self.epoch }
}

extension WriteAuthority {
  /// Returns the reason why the authority no longer allows writing, or nil. Called inside the writing transaction.
  ///
  /// - Parameter standing: returns the standing of a user; nil if it is deleted or unknown. It is called only for a
  ///   bearer whose token passes its own check.
  @inlinable package func fault<Failure: Error>(
    standing: (UserID) throws(Failure) -> UserStanding?
  ) throws(Failure) -> UserError? {
    do throws(UserError) { try check() } catch { return error }
    guard let bearer else { return nil }
    let isAccepted = try standing(bearer.userID)?.accepts(epoch: bearer.epoch) ?? false
    return isAccepted ? nil : .unauthenticated(.revoked)
  }
}
