import Crypto
public import Foundation
import JWTKit
import Primitives

/// The service's own Ed25519 signing keys: one signs, and earlier ones stay valid for a while. A value. Its JSON is the
/// content of the key file, a JWK Set with private parts.
public struct KeyRing: Hashable, Sendable, Codable {
  /// A key with its private part, which it never prints.
  public struct Key: Hashable, Sendable, Codable {
    /// The key's id: its JWK thumbprint (RFC 7638).
    public let kid: String
    /// The public key, 32 bytes in base64url.
    public let x: String
    /// The time of the key's creation.
    public let createdAt: Date
    /// The time when tokens of the key expire; nil for the signing key.
    public internal(set) var retiresAt: Date?
    /// The time when ``retiresAt`` was decided, by the clock of that moment; nil for the signing key.
    public internal(set) var retiredAt: Date?
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
      case retiredAt = "retired_at"
    }

    /// Creates a new key.
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

    /// Whether the parts match. They do not if the file was edited, or the bytes are not a key.
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

  /// Creates a ring with a new key.
  init(now: Date) {
    keys = [Key(now: now)]
  }

  /// The signing key.
  var signer: Key? { keys.last { $0.retiresAt == nil } }

  /// Returns the keys whose signatures are valid at `now`.
  public func live(at now: Date) -> [Key] {
    keys.filter { remainingTrust(in: $0, at: now).map { $0 > .zero } ?? true }
  }

  /// Returns how much longer than `now` signatures of `key` are valid; zero or less for an expired key, nil for the
  /// signing key.
  ///
  /// It never exceeds the requested overlap, even if the clock was ahead at the key's retirement and has been set back
  /// since. A key retired immediately stays retired.
  public func remainingTrust(in key: Key, at now: Date) -> Duration? {
    guard let retiresAt = key.retiresAt else { return nil }
    let remaining = retiresAt.timeIntervalSince(now)
    guard let retiredAt = key.retiredAt ?? successor(of: key)?.createdAt else { return .seconds(remaining) }
    return .seconds(min(remaining, max(retiresAt.timeIntervalSince(retiredAt), 0)))
  }

  /// Returns the key that was created when `key` was first retired.
  private func successor(of key: Key) -> Key? {
    keys.firstIndex(of: key).flatMap { $0 + 1 < keys.count ? keys[$0 + 1] : nil }
  }

  /// Returns the ring with a new key that signs from `now` on. Tokens of the other keys stay valid for `overlap`, or
  /// until their earlier end. Expired keys are removed.
  func rotated(now: Date, overlap: Duration) -> KeyRing {
    var ring = self
    let end = now.addingTimeInterval(overlap / .seconds(1)).wholeSeconds
    ring.keys = live(at: now).map { key in
      let own = remainingTrust(in: key, at: now).map { now.addingTimeInterval($0 / .seconds(1)) } ?? end
      let bound = min(own, end)
      // An earlier end stays as decided, except for the rounding of the line above.
      if let decided = key.retiresAt, decided <= bound.addingTimeInterval(0.001) { return key }
      var key = key
      key.retiresAt = bound.wholeSeconds
      key.retiredAt = now.wholeSeconds
      return key
    }
    ring.keys.append(Key(now: now))
    return ring
  }
}

extension Date {
  /// The date with the precision of the file.
  fileprivate var wholeSeconds: Date { Date(timeIntervalSince1970: timeIntervalSince1970.rounded(.down)) }
}

extension KeyRing.Key: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The key's id.
  public var description: String { kid }
  /// The key's id.
  public var debugDescription: String { kid }
  /// Empty, so that `dump` shows nothing of the private part.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
