import UserDomain

/// A token that was valid when its call was let through, and can be checked again.
struct BearerToken: Sendable {
  /// Who bears it.
  let principal: Principal
  private let bearer: WriteAuthority.Bearer?
  private let header: String
  private let verifier: any AccessTokenVerifier
  private let revocations: RevocationList

  /// The token in `header`, the value of the field `authorization`, which `verifier` has found to say `claims`.
  ///
  /// - Throws: `UserError.unauthenticated` if it was revoked.
  init(
    _ header: String, _ claims: AccessTokenClaims, verifier: any AccessTokenVerifier,
    revocations: RevocationList
  ) throws(UserError) {
    // Before the revocations are looked at: what changes in between is seen there, or when it writes.
    bearer = claims.principal.userID.map { user in
      WriteAuthority.Bearer(userID: user, epoch: claims.epoch ?? revocations.epoch(of: user))
    }
    if revocations.isRevoked(claims) { throw .unauthenticated(.revoked) }
    principal = claims.principal
    self.header = header
    self.verifier = verifier
    self.revocations = revocations
  }

  /// Checks that the token is still valid: not expired, not revoked, and its key still trusted.
  ///
  /// - Throws: `UserError.unauthenticated`.
  func checkAgain() throws(UserError) {
    // Not counted: a token that has become invalid ends its call.
    if revocations.isRevoked(try verifier.verify(authorization: header)) { throw .unauthenticated(.revoked) }
  }

  /// The authority on which its bearer writes.
  var authority: WriteAuthority {
    WriteAuthority(bearer: bearer) { () throws(UserError) in try checkAgain() }
  }
}
