/// The signature algorithms of JWTs that the service knows (RFC 7518 §3.1, RFC 8037 §3.1). `none` is not
/// among them.
public enum SignatureAlgorithm: String, CaseIterable, Sendable {
  case edDSA = "EdDSA"
  case es256 = "ES256"
  case rs256 = "RS256"
  case hs256 = "HS256"

  /// The algorithm of that name in a token or a key: `Ed25519` is EdDSA with that curve (RFC 9864 §2.2), the
  /// only one that the service knows.
  init?(name: String) {
    self.init(rawValue: name == "Ed25519" ? Self.edDSA.rawValue : name)
  }

  /// The algorithms whose keys can be made public.
  public static let asymmetric: Set<SignatureAlgorithm> = [.edDSA, .es256, .rs256]
}
