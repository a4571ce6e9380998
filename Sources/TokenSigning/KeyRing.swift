import Crypto
public import Foundation
import JWTKit
import Primitives

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
    /// When what it has signed expires; nil for the key that signs.
    public internal(set) var retiresAt: Date?
    /// When ``retiresAt`` was decided, by the clock of that moment; nil for the key that signs.
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
  public func live(at now: Date) -> [Key] {
    keys.filter { remainingTrust(in: $0, at: now).map { $0 > .zero } ?? true }
  }

  /// How much longer than `now` what `key` has signed is good; zero or less if it is not. nil for the key that signs.
  ///
  /// It is never more than the overlap that was asked for, also if the clock was ahead when the key was retired and has
  /// been set back since: a key that was retired at once stays so.
  public func remainingTrust(in key: Key, at now: Date) -> Duration? {
    guard let retiresAt = key.retiresAt else { return nil }
    let remaining = retiresAt.timeIntervalSince(now)
    guard let retiredAt = key.retiredAt ?? successor(of: key)?.createdAt else { return .seconds(remaining) }
    return .seconds(min(remaining, max(retiresAt.timeIntervalSince(retiredAt), 0)))
  }

  /// The key that was made when `key` was retired first.
  private func successor(of key: Key) -> Key? {
    keys.firstIndex(of: key).flatMap { $0 + 1 < keys.count ? keys[$0 + 1] : nil }
  }

  /// The ring with a new key that signs from `now` on. What the others have signed stays good for `overlap`,
  /// or as long as it would have; keys that have expired are left out.
  func rotated(now: Date, overlap: Duration) -> KeyRing {
    var ring = self
    let end = now.addingTimeInterval(overlap / .seconds(1)).wholeSeconds
    ring.keys = live(at: now).map { key in
      let own = remainingTrust(in: key, at: now).map { now.addingTimeInterval($0 / .seconds(1)) } ?? end
      let bound = min(own, end)
      // An end that comes first stays as it was decided, but for the rounding of the line above.
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
