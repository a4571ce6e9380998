import Foundation
import JWTKit
import Primitives
import UserDomain

/// A key that verifies signatures, bound to one algorithm: tokens that name another algorithm are refused unchecked.
///
/// JWTKit's `JWTKeyCollection` is used only to create the key. It is an actor, so verifying with it would leave the
/// calling thread.
struct VerificationKey: Sendable {
  let id: String?
  /// The time when tokens of the key expire; nil for never.
  let retiresAt: Timestamp?
  let algorithm: SignatureAlgorithm
  private let implementation: any JWTAlgorithm

  /// Returns whether `signature` is a signature of `signed`.
  func verify(_ signature: Data, signs signed: Data) -> Bool {
    // The library throws for a malformed signature, which simply does not verify.
    (try? implementation.verify(signature, signs: signed)) ?? false
  }

  /// Creates a key of the service's own.
  init(_ key: KeyRing.Key) async throws {
    let keys = JWTKeyCollection()
    await keys.add(eddsa: try EdDSA.PublicKey(x: key.x, curve: .ed25519))
    id = key.kid
    retiresAt = key.retiresAt.map { Timestamp($0) }
    algorithm = .edDSA
    implementation = try await keys.getKey()
  }

  /// The reason why a JWK is unusable.
  struct Unusable: Error, Hashable {
    /// The key's `kid`, or nil.
    let kid: String?
    let reason: String
  }

  /// Creates a key of a JWK Set. Its algorithm is the one that it names, or the one of its type.
  ///
  /// - Throws: `Unusable` for a key that is weak, of an unsupported kind, or not for signatures.
  init(_ jwk: JSONWebKey) async throws(Unusable) {
    func unusable(_ reason: String) -> Unusable { Unusable(kid: jwk.kid, reason: reason) }
    if let use = jwk.use, use != "sig" { throw unusable("it is not for signatures") }
    guard let algorithm = jwk.algorithm else { throw unusable("its type or algorithm is not supported") }
    id = jwk.kid
    retiresAt = nil
    self.algorithm = algorithm
    let keys = JWTKeyCollection()
    do {
      switch algorithm {
      case .hs256:
        guard let secret = jwk.k.flatMap({ Base64URL.decode($0) }), secret.count >= 32 else {
          throw unusable("its secret is shorter than 32 bytes (RFC 7518 section 3.2)")
        }
        await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
      case .rs256:
        guard let modulus = jwk.n.flatMap({ Base64URL.decode($0) }),
          modulus.drop(while: { $0 == 0 }).count >= 256
        else { throw unusable("its modulus is shorter than 2,048 bits (RFC 7518 section 3.3)") }
        let key = try Insecure.RSA.PublicKey(modulus: jwk.n ?? "", exponent: jwk.e ?? "")
        await keys.add(rsa: key, digestAlgorithm: .sha256)
      case .es256:
        await keys.add(ecdsa: try ES256PublicKey(parameters: (x: jwk.x ?? "", y: jwk.y ?? "")))
      case .edDSA:
        await keys.add(eddsa: try EdDSA.PublicKey(x: jwk.x ?? "", curve: .ed25519))
      }
      implementation = try await keys.getKey()
    } catch let error as Unusable {
      throw error
    } catch {
      throw unusable("its numbers are not a key")
    }
  }
}

/// The members of a JWK (RFC 7517 §4) that the service reads.
///
/// JWTKit's `JWK` and `JWKS` are not used: one key of an unknown type, such as `oct`, fails their whole set. RFC 7517
/// §5 ignores such a key.
struct JSONWebKey: Codable, Sendable {
  var kty: String
  var kid: String?
  var alg: String?
  var use: String?
  var crv: String?
  var n: String?
  var e: String?
  var x: String?
  var y: String?
  var k: String?

  /// The algorithm of the key; nil if it is unsupported, or does not fit the key's type.
  var algorithm: SignatureAlgorithm? {
    let natural: SignatureAlgorithm? =
      switch (kty, crv) {
      case ("OKP", "Ed25519"): .edDSA
      case ("EC", "P-256"): .es256
      case ("RSA", nil): .rs256
      case ("oct", nil): .hs256
      default: nil
      }
    guard let alg else { return natural }
    return natural == SignatureAlgorithm(name: alg) ? natural : nil
  }
}

extension JSONWebKey {
  /// An entry of a set's `keys`, which may be any value: one that is not a key does not spoil the others.
  struct Entry: Decodable {
    let result: Result<JSONWebKey, VerificationKey.Unusable>

    private struct Named: Decodable {
      let kid: String?
    }

    init(from decoder: any Decoder) throws {
      do {
        result = .success(try JSONWebKey(from: decoder))
      } catch {
        // The id is for the log; an entry without a readable id is named by its index.
        let kid = try? Named(from: decoder).kid
        result = .failure(VerificationKey.Unusable(kid: kid, reason: Self.reason(error)))
      }
    }

    private static func reason(_ error: any Error) -> String {
      switch error as? DecodingError {
      case .keyNotFound(let key, _): "it has no '\(key.stringValue)'"
      case .typeMismatch(_, let context), .valueNotFound(_, let context):
        // The path leads from the set to the member, or ends at the key's index in the list.
        context.codingPath.last.flatMap { $0.intValue == nil ? "its '\($0.stringValue)' is not text" : nil }
          ?? "it is not an object"
      default: "it is not a key"
      }
    }
  }
}
