import GRPCNghttp2Transport
public import TokenSigning
public import UserAPI
public import UserDomain

/// The settings `auth.*` and `peer.*`: who may call.
public struct AuthConfiguration: Sendable {
  /// `auth.mode`: whether calls need tokens.
  public let isOn: Bool
  /// `auth.keys`, `auth.issuer`, `auth.audience`, `auth.jwks.*`: who signs tokens.
  public let authority: TokenAuthority.Configuration
  /// `auth.access.lifetime`, `auth.refresh.lifetime`, `auth.session.lifetime`.
  public let sessions: SessionPolicy
  /// `auth.reflection.public`: whether server reflection needs no token.
  public let reflectionIsPublic: Bool
  /// `peer.rate`, `peer.burst`: how often one address may make calls that need no token and cost much, and present
  /// tokens that are invalid; and how often a user may change its own address or password.
  public let peerLimit: PeerLimit?

  /// Names and defaults of the texts.
  static let defaults: [(String, String)] = [
    ("auth.mode", "on"), ("auth.keys", ""), ("auth.issuer", "user-service"),
    ("auth.audience", "user-service"),
    ("auth.access.lifetime", "15m"), ("auth.refresh.lifetime", "30d"), ("auth.session.lifetime", "90d"),
    ("auth.jwks.file", ""), ("auth.jwks.issuer", ""), ("auth.jwks.audience", ""),
    ("auth.jwks.algorithms", "EdDSA,ES256,RS256"), ("auth.jwks.type", "at+jwt"),
    ("auth.jwks.max.lifetime", "1d"),
    ("peer.rate", "10"), ("peer.burst", "100"),
  ]

  private typealias Invalid = ServiceConfiguration.Invalid

  /// Reads the settings, texts with `read` and truth values with `readFlag`.
  ///
  /// - Throws: `ServiceConfiguration.Invalid` for a value that cannot be used, and what `read` throws.
  init(
    database: String, listen: [ListenAddress], _ read: (String) throws -> String,
    flag readFlag: (String) throws -> Bool
  ) throws {
    func value<Value>(_ name: String, _ form: String, _ parse: (String) -> Value?) throws -> Value {
      let text = try read(name)
      guard let value = parse(text) else {
        throw Invalid(description: "\(name) is '\(text)'; it must be \(form)")
      }
      return value
    }
    func lifetime(_ name: String, _ longest: Duration, _ form: String) throws -> Duration {
      try value(name, "a duration of 1s to \(form)") { text in
        Duration(text: text).flatMap { $0 >= .seconds(1) && $0 <= longest ? $0 : nil }
      }
    }

    isOn = try value("auth.mode", "on or off") { ["on": true, "off": false][$0] }
    if !isOn, try !readFlag("insecure"), let exposed = listen.first(where: { !$0.isLocal }) {
      throw Invalid(
        description:
          "auth.mode is off, but others can reach \(exposed); add --insecure if that is what you want")
    }
    reflectionIsPublic = try readFlag("auth.reflection.public")
    sessions = SessionPolicy(
      accessLifetime: try lifetime("auth.access.lifetime", SessionPolicy.longestAccessLifetime, "1d"),
      refreshLifetime: try lifetime("auth.refresh.lifetime", Duration.longest, "400d"),
      sessionLifetime: try lifetime("auth.session.lifetime", Duration.longest, "400d"))
    guard sessions.accessLifetime <= sessions.refreshLifetime,
      sessions.refreshLifetime <= sessions.sessionLifetime
    else {
      throw Invalid(
        description:
          "auth.access.lifetime must not exceed auth.refresh.lifetime, nor that auth.session.lifetime")
    }
    let issuer = try value("auth.issuer", "a name") { $0.isEmpty ? nil : $0 }
    let audience = try value("auth.audience", "a name") { $0.isEmpty ? nil : $0 }
    let rules = OutsideTokenRules(
      type: try value("auth.jwks.type", "at+jwt or any", OutsideTokenRules.TokenType.init(rawValue:)),
      longestLifetime: try lifetime("auth.jwks.max.lifetime", Duration.longest, "400d"),
      mayBeUsers: try readFlag("auth.jwks.users"))
    authority = TokenAuthority.Configuration(
      keys: Self.keyFile(try read("auth.keys"), database: database), issuer: issuer, audience: audience,
      outside: try Self.outside(issuer: issuer, audience: audience, rules, read))
    let rates = 0.001...1_000_000.0
    let burst = try value("peer.burst", "1 to 1000000") {
      Int($0).flatMap { (1...1_000_000).contains($0) ? $0 : nil }
    }
    peerLimit =
      if try read("peer.rate") == "none" {
        nil
      } else {
        PeerLimit(
          rate: try value("peer.rate", "calls a second, 0.001 to 1000000, or none") {
            Double($0).flatMap { rates.contains($0) ? $0 : nil }
          }, burst: burst)
      }
  }

  /// The key file: the one that is named, or the one beside the database; none for a database in memory.
  private static func keyFile(_ named: String, database: String) -> KeyFile? {
    if !named.isEmpty { return KeyFile(path: named) }
    return database == ":memory:" ? nil : KeyFile(path: database + ".keys")
  }

  private static func outside(
    issuer: String, audience: String, _ rules: OutsideTokenRules, _ read: (String) throws -> String
  ) throws -> OutsideIssuer? {
    let file = try read("auth.jwks.file")
    let name = try read("auth.jwks.issuer")
    guard !file.isEmpty || !name.isEmpty else { return nil }
    guard !file.isEmpty else { throw Invalid(description: "auth.jwks.issuer needs auth.jwks.file") }
    guard !name.isEmpty else { throw Invalid(description: "auth.jwks.file needs auth.jwks.issuer") }
    guard name != issuer else { throw Invalid(description: "auth.jwks.issuer must differ from auth.issuer") }
    let given = try read("auth.jwks.audience")
    let algorithms = try read("auth.jwks.algorithms").split(separator: ",").map { text in
      guard let algorithm = SignatureAlgorithm(rawValue: String(text)) else {
        let known = SignatureAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
        throw Invalid(description: "auth.jwks.algorithms has '\(text)'; they must be among \(known)")
      }
      return algorithm
    }
    guard !algorithms.isEmpty else { throw Invalid(description: "auth.jwks.algorithms names none") }
    return OutsideIssuer(
      keySet: file, name: name, audience: given.isEmpty ? audience : given, algorithms: Set(algorithms),
      rules: rules)
  }
}

extension Listener.Address {
  /// Whether only this machine can reach it.
  var isLocal: Bool {
    switch self {
    case .tcp(let host, _): host.hasPrefix("127.") || host == "::1"
    case .unix: true
    }
  }
}
