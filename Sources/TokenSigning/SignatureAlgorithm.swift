/// The supported signature algorithms of JWTs (RFC 7518 §3.1, RFC 8037 §3.1). `none` is not supported.
public enum SignatureAlgorithm: String, CaseIterable, Sendable {
  case edDSA = "EdDSA"
  case es256 = "ES256"
  case rs256 = "RS256"
  case hs256 = "HS256"

  /// Creates the algorithm with this name in a token or a key. `Ed25519` is EdDSA with that curve (RFC 9864 §2.2), the
  /// only supported one.
  init?(name: String) {
    self.init(rawValue: name == "Ed25519" ? Self.edDSA.rawValue : name)
  }

  /// The algorithms with public keys.
  public static let asymmetric: Set<SignatureAlgorithm> = [.edDSA, .es256, .rs256]
}
