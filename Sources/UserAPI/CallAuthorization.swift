import GRPCCore
import UserDomain

/// Decides which tokens are good.
final class TokenGate: Sendable {
  private let verifier: any AccessTokenVerifier
  private let revocations: RevocationList

  init(verifier: any AccessTokenVerifier, revocations: RevocationList) {
    self.verifier = verifier
    self.revocations = revocations
  }

  /// What the token in `authorization` says, and on whose authority its bearer writes.
  ///
  /// - Throws: `UserError.unauthenticated`.
  func admit(_ authorization: String) throws(UserError) -> (Principal, WriteAuthority?) {
    let claims = try verifier.verify(authorization: authorization)
    // Before the revocations are looked at: what changes in between is seen there, or when it writes.
    let authority = claims.principal.userID.map { user in
      WriteAuthority(userID: user, epoch: claims.epoch ?? revocations.epoch(of: user))
    }
    if revocations.isRevoked(claims) { throw .unauthenticated(.revoked) }
    return (claims.principal, authority)
  }

  /// The same of a token that was seen before; nil if it is no good, or was not.
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
  /// Whose authority it writes on; nil for a service.
  let authority: WriteAuthority?
  private let token: (header: String, gate: TokenGate)?

  /// A call without a token.
  init(principal: Principal) {
    self.principal = principal
    authority = nil
    token = nil
  }

  /// A call with the token in `header`.
  ///
  /// - Throws: `UserError.unauthenticated`.
  init(header: String, gate: TokenGate) throws(UserError) {
    (principal, authority) = try gate.admit(header)
    token = (header, gate)
  }

  /// Checks again, in the course of a stream, that the token is still good: not expired, not revoked, and its
  /// key still trusted.
  ///
  /// - Throws: `UserError.unauthenticated`.
  func checkStillGood() throws(UserError) {
    if let token { _ = try token.gate.admit(token.header) }
  }
}
