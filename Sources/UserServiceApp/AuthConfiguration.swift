import TokenSigning
public import UserAPI
public import UserDomain

/// The settings `auth.*` and `peer.*`: who may call. Each property is a ``Setting``, and begins as that setting's default.
public struct AuthConfiguration: Sendable {
  private static let ownTokens = TokenAuthority.Configuration(keys: nil)

  /// Whether calls need tokens.
  public internal(set) var isOn = true
  /// Whether others may reach a service whose calls need no tokens.
  var mayBeExposed = false
  /// The file with the service's signing keys; nil for the one beside the database.
  var keyFile: String?
  /// `iss` of the service's own tokens.
  var issuer = ownTokens.issuer
  /// `aud` of the service's own tokens.
  var audience = ownTokens.audience
  /// How long sessions and their tokens are good.
  public internal(set) var sessions = SessionPolicy()
  /// Whether server reflection needs no token.
  public internal(set) var reflectionIsPublic = true
  /// The file with another issuer's keys.
  var outsideKeySet: String?
  /// `iss` of another issuer's tokens.
  var outsideIssuer: String?
  /// `aud` of another issuer's tokens; nil for ``audience``.
  var outsideAudience: String?
  /// The algorithms that another issuer's tokens may use.
  var outsideAlgorithms = SignatureAlgorithm.asymmetric
  /// What another issuer's tokens may be and say.
  var outsideRules = OutsideTokenRules()
  /// Calls a second of ``peerLimit``; nil for no limit.
  var peerRate: Double? = 10
  /// Calls at once of ``peerLimit``.
  var peerBurst = 100

  /// How often one address may make calls that need no token and cost much, and present tokens that are invalid; and how
  /// often a user may change its own address or password. Nil for no limit.
  public var peerLimit: PeerLimit? {
    peerRate.map { PeerLimit(rate: $0, burst: peerBurst) }
  }

  /// Another issuer to believe; nil for none.
  var outside: OutsideIssuer? {
    guard let outsideKeySet, let outsideIssuer else { return nil }
    return OutsideIssuer(
      keySet: outsideKeySet, name: outsideIssuer, audience: outsideAudience ?? audience,
      algorithms: outsideAlgorithms, rules: outsideRules)
  }

  /// Compares settings with each other, and with the addresses that the service listens on.
  func check(listen: [ListenAddress]) throws(InvalidSetting) {
    if !isOn, !mayBeExposed, let exposed = listen.first(where: { !$0.isLocal }) {
      throw InvalidSetting(
        description:
          "auth.mode is off, but others can reach \(exposed); add --insecure if that is what you want")
    }
    guard sessions.accessLifetime <= sessions.refreshLifetime,
      sessions.refreshLifetime <= sessions.sessionLifetime
    else {
      throw InvalidSetting(
        description:
          "auth.access.lifetime must not exceed auth.refresh.lifetime, nor that auth.session.lifetime")
    }
    switch (outsideKeySet, outsideIssuer) {
    case (nil, _?): throw InvalidSetting(description: "auth.jwks.issuer needs auth.jwks.file")
    case (_?, nil): throw InvalidSetting(description: "auth.jwks.file needs auth.jwks.issuer")
    case (nil, nil): break
    case (_?, let outsideIssuer?):
      guard outsideIssuer != issuer else {
        throw InvalidSetting(description: "auth.jwks.issuer must differ from auth.issuer")
      }
    }
  }
}
