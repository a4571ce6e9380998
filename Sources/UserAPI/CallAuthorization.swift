import GRPCCore
import UserDomain

/// What the running call's bearer may do, for handlers to ask.
struct CallAuthorization: Sendable {
  /// The running call's, from its authorization on: handlers read it before they suspend or answer.
  @TaskLocal static var current = CallAuthorization(principal: .anonymous)

  /// Who calls.
  let principal: Principal
  private let claims: AccessTokenClaims?
  private let revocations: RevocationList?

  /// A call without a token that could be revoked.
  init(principal: Principal) {
    self.principal = principal
    claims = nil
    revocations = nil
  }

  /// A call with a token.
  init(claims: AccessTokenClaims, revocations: RevocationList) {
    principal = claims.principal
    self.claims = claims
    self.revocations = revocations
  }

  /// Checks again, in the course of a stream, that the token was not revoked since.
  ///
  /// - Throws: `UserError.unauthenticated(.revoked)`.
  func checkStillGood() throws(UserError) {
    if let claims, let revocations, revocations.isRevoked(claims) { throw .unauthenticated(.revoked) }
  }
}
