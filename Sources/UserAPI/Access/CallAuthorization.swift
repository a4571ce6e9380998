import UserDomain

/// The caller of a call whose token may become invalid before the call ends.
struct CallAuthorization: Sendable {
  /// Who makes the call.
  let caller: Caller
  private let token: BearerToken?
  private let limiter: PeerLimiter?

  /// A caller with `token`, or one with the rights of `principal` if it is nil.
  ///
  /// - Parameter limiter: counts what the caller does for which it needs no token; nil for no limit.
  init(
    _ token: BearerToken?, otherwise principal: Principal = .anonymous, peer: String,
    limiter: PeerLimiter? = nil
  ) {
    caller = Caller(principal: token?.principal ?? principal, peer: peer, hasToken: token != nil)
    self.token = token
    self.limiter = limiter
  }

  /// Checks, in the course of a call, that its token is still valid. A call without a token passes.
  ///
  /// - Throws: `UserError.unauthenticated`.
  func checkStillGood() throws(UserError) { try token?.checkAgain() }

  /// The authority on which the call writes; nil for a call without a token.
  var authority: WriteAuthority? { token?.authority }

  /// Counts a message that needs no token.
  ///
  /// - Throws: `UserError.peerLimitExceeded`.
  func admit(_ cost: CallCost) throws(UserError) {
    if !caller.principal.isFreeOfPeerLimit { try limiter?.admit(caller.peer, cost) }
  }

  /// Counts an update of an address or a password by a caller that may not write all users. It could learn from the
  /// outcome which addresses are registered.
  ///
  /// - Throws: `UserError.peerLimitExceeded`.
  func admitOwnUpdate() throws(UserError) {
    if caller.principal.isFreeOfPeerLimit { return }
    try limiter?.admitOwnUpdate(caller.peer, subject: caller.principal.subject)
  }
}
