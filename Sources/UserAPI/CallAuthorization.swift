import GRPCCore
import UserDomain

/// Decides which tokens are good.
final class TokenGate: Sendable {
  private let verifier: any AccessTokenVerifier
  private let revocations: RevocationList
  private let peers: PeerLimiter?

  /// - Parameter peers: limits how many invalid tokens a peer may present; nil for no limit.
  init(verifier: any AccessTokenVerifier, revocations: RevocationList, peers: PeerLimiter?) {
    self.verifier = verifier
    self.revocations = revocations
    self.peers = peers
  }

  /// What the token in `authorization` says, which `peer` has presented, and whose authority its bearer writes on.
  ///
  /// The check of a token that was not seen before counts, until the token has turned out to be valid.
  ///
  /// - Throws: `UserError.unauthenticated`, `.peerLimitExceeded`.
  func admit(_ authorization: String, of peer: String) throws(UserError) -> (
    Principal, WriteAuthority.Bearer?
  ) {
    var isCounted = false
    let claims = try verifier.verify(authorization: authorization) { () throws(UserError) in
      try peers?.admitTokenCheck(peer)
      isCounted = true
    }
    if isCounted { peers?.tokenWasValid(peer) }
    return try admit(claims)
  }

  /// Checks again that the token in `authorization`, which ``admit(_:of:)`` has let through, is still good.
  ///
  /// - Throws: `UserError.unauthenticated`.
  func readmit(_ authorization: String) throws(UserError) {
    // Not counted: a token that has become invalid ends its call.
    _ = try admit(verifier.verify(authorization: authorization))
  }

  private func admit(_ claims: AccessTokenClaims) throws(UserError) -> (Principal, WriteAuthority.Bearer?) {
    // Before the revocations are looked at: what changes in between is seen there, or when it writes.
    let bearer = claims.principal.userID.map { user in
      WriteAuthority.Bearer(userID: user, epoch: claims.epoch ?? revocations.epoch(of: user))
    }
    if revocations.isRevoked(claims) { throw .unauthenticated(.revoked) }
    return (claims.principal, bearer)
  }

  /// Who has the token, if it was seen before and is good.
  func admitKnown(_ authorization: UnsafeRawBufferPointer) -> Principal? {
    guard let claims = verifier.known(authorization: authorization), !revocations.isRevoked(claims) else {
      return nil
    }
    return claims.principal
  }
}

/// What the running call's bearer may do, for handlers to ask.
struct CallAuthorization: Sendable {
  /// The running call's, if there is an ``AuthorizationInterceptor``: handlers read it before they suspend or
  /// answer.
  @TaskLocal static var current: CallAuthorization?

  /// Who calls.
  let principal: Principal
  private let peer: String
  private let bearer: WriteAuthority.Bearer?
  private let token: (header: String, gate: TokenGate)?
  private let peers: PeerLimiter?

  /// A call without a token, from `peer`, which `peers` may limit.
  init(principal: Principal = .anonymous, peer: String, peers: PeerLimiter? = nil) {
    self.principal = principal
    self.peer = peer
    self.peers = peers
    bearer = nil
    token = nil
  }

  /// A call with the token in `header`.
  ///
  /// - Throws: `UserError.unauthenticated`, `.peerLimitExceeded`.
  init(header: String, peer: String, gate: TokenGate, peers: PeerLimiter?) throws(UserError) {
    (principal, bearer) = try gate.admit(header, of: peer)
    self.peer = peer
    self.peers = peers
    token = (header, gate)
  }

  /// Checks again, in the course of a stream, that the token is still good: not expired, not revoked, and its
  /// key still trusted.
  ///
  /// - Throws: `UserError.unauthenticated`.
  func checkStillGood() throws(UserError) {
    if let token { try token.gate.readmit(token.header) }
  }

  /// Whose authority the call writes on; nil for a call without a token.
  var authority: WriteAuthority? {
    guard let token else { return nil }
    return WriteAuthority(bearer: bearer) { () throws(UserError) in try token.gate.readmit(token.header) }
  }

  /// Counts a call, or a message of a stream, that needs no token.
  ///
  /// - Throws: `UserError.peerLimitExceeded`.
  func admit(_ cost: CallCost) throws(UserError) {
    if !principal.isFreeOfPeerLimit { try peers?.admit(peer, cost) }
  }

  /// Counts an update of an address or a password by a caller that may not write all users. It could learn from the
  /// outcome which addresses are registered.
  ///
  /// - Throws: `UserError.peerLimitExceeded`.
  func admitOwnUpdate() throws(UserError) {
    if !principal.isFreeOfPeerLimit { try peers?.admitOwnUpdate(peer, subject: principal.subject) }
  }

  /// The network that the call comes from.
  var network: PeerNetwork { PeerNetwork(peer: peer) }

  /// The requester of the call's password hashes. A service that calls for many people counts by itself, all others
  /// by their network.
  var hashRequester: HashRequester {
    if token != nil, principal.isFreeOfPeerLimit { return HashRequester(.principal(principal.subject)) }
    return HashRequester(.network(network))
  }
}
