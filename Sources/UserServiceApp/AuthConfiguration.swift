import TokenSigning
public import UserAPI
public import UserDomain

/// The settings `auth.*` and `peer.*`: authentication and limits of callers. Each property is a ``Setting`` and
/// starts as its default.
public struct AuthConfiguration: Sendable {
  private static let ownTokens = TokenAuthority.Configuration(keys: nil)

  /// Whether calls need tokens.
  public internal(set) var isOn = true
  /// Whether a service that requires no tokens may listen where other machines can reach it.
  var mayBeExposed = false
  /// The file of the service's signing keys; nil for the one beside the database.
  var keyFile: String?
  /// `iss` of the service's own tokens.
  var issuer = ownTokens.issuer
  /// `aud` of the service's own tokens.
  var audience = ownTokens.audience
  /// The lifetimes of sessions and their tokens.
  public internal(set) var sessions = SessionPolicy()
  /// Whether server reflection needs no token.
  public internal(set) var reflectionIsPublic = true
  /// The file of the other issuer's keys.
  var outsideKeySet: String?
  /// `iss` of the other issuer's tokens.
  var outsideIssuer: String?
  /// `aud` of the other issuer's tokens; nil for ``audience``.
  var outsideAudience: String?
  /// The signature algorithms accepted in the other issuer's tokens.
  var outsideAlgorithms = SignatureAlgorithm.asymmetric
  /// The rules that the other issuer's tokens must follow.
  var outsideRules = OutsideTokenRules()
  /// The rate of ``peerLimit``, in calls a second; nil for no limit.
  var peerRate: Double? = 10
  /// The burst of ``peerLimit``, in calls.
  var peerBurst = 100

  /// The rate limit for costly calls without a token and for invalid tokens, by network, and for a user's changes of
  /// its own address or password. Nil for no limit.
  public var peerLimit: PeerLimit? {
    peerRate.map { PeerLimit(rate: $0, burst: peerBurst) }
  }

  /// The other issuer whose tokens are accepted, if any.
  var outside: OutsideIssuer? {
    guard let outsideKeySet, let outsideIssuer else { return nil }
    return OutsideIssuer(
      keySet: outsideKeySet, name: outsideIssuer, audience: outsideAudience ?? audience,
      algorithms: outsideAlgorithms, rules: outsideRules)
  }

  /// Checks the settings against each other, and against the addresses that the service listens on.
  func check(listen: [ListenAddress]) throws(InvalidSetting) {
    if !isOn, !mayBeExposed, let exposed = listen.first(where: { !$0.isLocal }) {
      throw InvalidSetting(
        description:
          "auth.mode is off, but others can reach \(exposed); add --insecure to permit that")
    }
    guard sessions.accessLifetime <= sessions.refreshLifetime,
      sessions.refreshLifetime <= sessions.sessionLifetime
    else {
      throw InvalidSetting(
        description:
          "auth.access.lifetime must not exceed auth.refresh.lifetime, which must not exceed auth.session.lifetime"
      )
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
