import UserDomain

/// The caller of a call, and its token, which may become invalid before the call ends.
struct CallAuthorization: Sendable {
  /// The client that makes the call.
  let caller: Caller
  private let token: BearerToken?
  private let limiter: PeerLimiter?

  /// Creates the authorization of a caller with `token`, or with the rights of `principal` if `token` is nil.
  ///
  /// - Parameter limiter: limits calls without a token; nil for no limit.
  init(
    _ token: BearerToken?, otherwise principal: Principal = .anonymous, peer: String,
    limiter: PeerLimiter? = nil
  ) {
    caller = Caller(principal: token?.principal ?? principal, peer: peer, hasToken: token != nil)
    self.token = token
    self.limiter = limiter
  }

  /// Checks, during a call, that its token is still valid. A call without a token passes.
  ///
  /// - Throws: `UserError.unauthenticated`.
  func checkStillValid() throws(UserError) { try token?.checkAgain() }

  /// The authority under which the call writes; nil for a call without a token.
  var authority: WriteAuthority? { token?.authority }

  /// Counts a message that needs no token against the rate limit.
  ///
  /// - Throws: `UserError.peerLimitExceeded`.
  func admit(_ cost: CallCost) throws(UserError) {
    if !caller.principal.isFreeOfPeerLimit { try limiter?.admit(caller.peer, cost) }
  }

  /// Counts an update of an address or a password by a caller without the scope `users:write`. The outcome can reveal
  /// which addresses are registered.
  ///
  /// - Throws: `UserError.peerLimitExceeded`.
  func admitOwnUpdate() throws(UserError) {
    if caller.principal.isFreeOfPeerLimit { return }
    try limiter?.admitOwnUpdate(caller.peer, subject: caller.principal.subject)
  }
}
