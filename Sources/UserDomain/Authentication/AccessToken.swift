/// The claims of an access token, signed by a trusted issuer.
public struct AccessTokenClaims: Hashable, Sendable {
  /// The bearer of the token.
  public let principal: Principal
  /// The time of issue; nil if the token does not have it.
  public let issuedAt: Timestamp?
  /// The time when the token expires.
  public let expiresAt: Timestamp
  /// The token's session; nil for a token that no sign-in issued.
  public let session: SessionID?
  /// The user's epoch at the time of issue; nil for tokens of services and of other issuers.
  public let epoch: Int64?
  /// The token's own id, by which it can be revoked alone; nil for tokens of other issuers.
  public let tokenID: TokenID?

  /// Creates claims.
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

extension AccessTokenClaims {
  /// The maximum lifetime of a token of a user that no sign-in issued: 90 days.
  public static let longestLifetime: Duration = .seconds(90 * 86_400)
}

/// A public Ed25519 key of the service, which verifies its access tokens.
public struct AccessTokenKey: Hashable, Sendable {
  /// The key's id in the tokens that it signed (`kid`, RFC 7515 §4.1.4).
  public let kid: String
  /// The key's 32 bytes in base64url (`x`, RFC 8037 §2).
  public let x: String

  /// Creates a key.
  public init(kid: String, x: String) {
    self.kid = kid
    self.x = x
  }
}

/// Makes access tokens.
public protocol AccessTokenIssuer: Sendable {
  /// Returns a signed token with `claims`.
  ///
  /// - Throws: `UserError.signing`.
  func issue(_ claims: AccessTokenClaims) throws(UserError) -> String
}

/// Checks access tokens.
public protocol AccessTokenVerifier: Sendable {
  /// Returns the claims of the token in `authorization`: `Bearer TOKEN`, the scheme in any letter case (RFC 6750 §2.1).
  /// It runs on the calling thread: immediately for a cached token, in about 100 µs for a new one, whose signature it
  /// checks.
  ///
  /// - Parameter admitCheck: called before a token that is not cached is checked. An error that it throws ends the
  ///   verification.
  /// - Throws: `UserError.unauthenticated`, and errors of `admitCheck`. Revocations are not checked.
  func verify(
    authorization: String, admitCheck: () throws(UserError) -> Void
  ) throws(UserError) -> AccessTokenClaims

  /// Returns the claims of the token in `authorization`, in UTF-8, if they are cached and have not expired. nil leaves
  /// the token undecided.
  func known(authorization: UnsafeRawBufferPointer) -> AccessTokenClaims?
}

extension AccessTokenVerifier {
  /// Returns the claims of the token in `authorization`, checking its signature without a limit.
  ///
  /// - Throws: `UserError.unauthenticated`. Revocations are not checked.
  public func verify(authorization: String) throws(UserError) -> AccessTokenClaims {
    try verify(authorization: authorization) { () throws(UserError) in }
  }
}
