import Crypto
public import Foundation
import JWTKit
import UserDomain

/// The service's own signing keys, Ed25519: one signs, and those before it stay good for a while. A value;
/// its JSON is what the key file holds, a JWK Set with private parts.
public struct KeyRing: Hashable, Sendable, Codable {
  /// A key with its private part. It does not print it.
  public struct Key: Hashable, Sendable, Codable {
    /// The key's name: its JWK thumbprint (RFC 7638).
    public let kid: String
    /// The public key, 32 bytes in base64url.
    public let x: String
    /// When it was made.
    public let createdAt: Date
    /// When what it has signed is no good any more; nil for the key that signs.
    public internal(set) var retiresAt: Date?
    /// The private key, 32 bytes in base64url.
    let d: String
    private let kty: String
    private let crv: String
    private let alg: String
    private let use: String

    private enum CodingKeys: String, CodingKey {
      case kid, kty, crv, alg, use, x, d
      case createdAt = "created_at"
      case retiresAt = "retires_at"
    }

    /// A new key.
    init(now: Date) {
      let secret = Curve25519.Signing.PrivateKey()
      x = Base64URL.encode(secret.publicKey.rawRepresentation)
      d = Base64URL.encode(secret.rawRepresentation)
      kid = Self.thumbprint(x)
      (kty, crv, alg, use) = ("OKP", "Ed25519", SignatureAlgorithm.edDSA.rawValue, "sig")
      createdAt = now.wholeSeconds
    }

    private static func thumbprint(_ x: String) -> String {
      Base64URL.encode(SHA256.hash(data: Data(#"{"crv":"Ed25519","kty":"OKP","x":"\#(x)"}"#.utf8)))
    }

    /// Whether the parts belong together, as they do unless the file was edited. Bytes that are no key do not.
    var isIntact: Bool {
      guard (kty, crv, alg) == ("OKP", "Ed25519", SignatureAlgorithm.edDSA.rawValue),
        let secret = Base64URL.decode(d),
        let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: secret)
      else { return false }
      return Base64URL.encode(key.publicKey.rawRepresentation) == x && kid == Self.thumbprint(x)
    }
  }

  /// The keys, oldest first.
  public private(set) var keys: [Key]

  /// A ring with a new key.
  init(now: Date) {
    keys = [Key(now: now)]
  }

  /// The key that signs.
  var signer: Key? { keys.last { $0.retiresAt == nil } }

  /// The keys whose signatures are good at `now`.
  public func live(at now: Date) -> [Key] { keys.filter { $0.retiresAt.map { $0 > now } ?? true } }

  /// The ring with a new key that signs from `now` on. What the others have signed stays good for `overlap`,
  /// or as long as it would have; keys that are over already are left out.
  func rotated(now: Date, overlap: Duration) -> KeyRing {
    var ring = self
    let end = now.addingTimeInterval(overlap / .seconds(1)).wholeSeconds
    ring.keys = live(at: now).map { key in
      var key = key
      key.retiresAt = min(key.retiresAt ?? end, end)
      return key
    }
    ring.keys.append(Key(now: now))
    return ring
  }
}

extension Date {
  /// As the file has it.
  fileprivate var wholeSeconds: Date { Date(timeIntervalSince1970: timeIntervalSince1970.rounded(.down)) }
}

extension KeyRing.Key: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The key's name.
  public var description: String { kid }
  /// The key's name.
  public var debugDescription: String { kid }
  /// Empty, so that `dump` shows nothing of the private part.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
