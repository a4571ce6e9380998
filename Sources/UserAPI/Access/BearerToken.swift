import UserDomain

/// A token that was valid when its call was admitted, and can be checked again.
struct BearerToken: Sendable {
  /// The principal that the token names.
  let principal: Principal
  private let bearer: WriteAuthority.Bearer?
  private let header: String
  private let verifier: any AccessTokenVerifier
  private let revocations: RevocationList

  /// Creates the token in `header`, the value of the field `authorization`, from the `claims` that `verifier` read.
  ///
  /// - Throws: `UserError.unauthenticated` if the token is revoked.
  init(
    _ header: String, _ claims: AccessTokenClaims, verifier: any AccessTokenVerifier,
    revocations: RevocationList
  ) throws(UserError) {
    // The epoch is read before the revocations: a later change is seen there, or when the call writes.
    bearer = claims.principal.userID.map { user in
      WriteAuthority.Bearer(userID: user, epoch: claims.epoch ?? revocations.epoch(of: user))
    }
    if revocations.isRevoked(claims) { throw .unauthenticated(.revoked) }
    principal = claims.principal
    self.header = header
    self.verifier = verifier
    self.revocations = revocations
  }

  /// Checks that the token has not expired, is not revoked, and has a trusted key.
  ///
  /// - Throws: `UserError.unauthenticated`.
  func checkAgain() throws(UserError) {
    // Not rate-limited: an invalid token ends its call.
    if revocations.isRevoked(try verifier.verify(authorization: header)) { throw .unauthenticated(.revoked) }
  }

  /// The authority under which the bearer writes.
  var authority: WriteAuthority {
    WriteAuthority(bearer: bearer) { () throws(UserError) in try checkAgain() }
  }
}
