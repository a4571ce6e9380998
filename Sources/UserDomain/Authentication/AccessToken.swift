/// What an access token says, signed by somebody whom the service trusts.
public struct AccessTokenClaims: Hashable, Sendable {
  /// Who bears it.
  public let principal: Principal
  /// When it was given; nil if it does not say.
  public let issuedAt: Timestamp?
  /// From when on it is no good.
  public let expiresAt: Timestamp
  /// The session that it belongs to; nil for a token that no sign-in has given.
  public let session: SessionID?
  /// The epoch of its user in which it was given; nil for tokens of services and of other issuers.
  public let epoch: Int64?
  /// The token's own identity, by which it can be revoked singly; nil for tokens of other issuers.
  public let tokenID: TokenID?

  /// Claims.
  public init(
    principal: Principal, issuedAt: Timestamp?, expiresAt: Timestamp, session: SessionID? = nil,
    epoch: Int64? = nil, tokenID: TokenID? = nil
  ) {
    self.principal = principal
    self.issuedAt = issuedAt
    self.expiresAt = expiresAt
    self.session = session
    self.epoch = epoch
    self.tokenID = tokenID
  }
}

/// A public key of the service's own, Ed25519, that its access tokens are verified with.
public struct AccessTokenKey: Hashable, Sendable {
  /// The key's name in the tokens that it has signed (`kid`, RFC 7515 §4.1.4).
  public let kid: String
  /// The key's 32 bytes in base64url (`x`, RFC 8037 §2).
  public let x: String

  /// A key of its parts.
  public init(kid: String, x: String) {
    self.kid = kid
    self.x = x
  }
}

/// Makes access tokens.
public protocol AccessTokenIssuer: Sendable {
  /// The token that says `claims`.
  ///
  /// - Throws: `UserError.signing`.
  func issue(_ claims: AccessTokenClaims) throws(UserError) -> String
}

/// Checks access tokens.
public protocol AccessTokenVerifier: Sendable {
  /// What the token says in `authorization`, which is `Bearer TOKEN` with the scheme in any letter case
  /// (RFC 6750 §2.1). Answers on the calling thread: at once for what was seen before, and after the check of
  /// a signature, about 100 µs, for anything else.
  ///
  /// - Parameter admitCheck: called before a token that was not seen before is looked into. What it throws ends the
  ///   verification.
  /// - Throws: `UserError.unauthenticated`, and what `admitCheck` throws. Revocations are not looked at.
  func verify(
    authorization: String, admitCheck: () throws(UserError) -> Void
  ) throws(UserError) -> AccessTokenClaims

  /// What the token says in `authorization`, in UTF-8, if that is known without the check of a signature and
  /// the token has not expired; nil says nothing about it.
  func known(authorization: UnsafeRawBufferPointer) -> AccessTokenClaims?
}

extension AccessTokenVerifier {
  /// What the token says in `authorization`, whatever its check costs.
  ///
  /// - Throws: `UserError.unauthenticated`. Revocations are not looked at.
  public func verify(authorization: String) throws(UserError) -> AccessTokenClaims {
    try verify(authorization: authorization) { () throws(UserError) in }
  }
}
