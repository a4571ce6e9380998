import Foundation

/// An outside issuer whose access tokens the service believes, and the file with its public keys.
public struct OutsideIssuer: Hashable, Sendable {
  /// The path of a JWK Set (RFC 7517 §5).
  public let keySet: String
  /// What `iss` must be.
  public let name: String
  /// What must be in `aud`.
  public let audience: String
  /// The algorithms that its tokens may use.
  public let algorithms: Set<SignatureAlgorithm>

  /// An issuer. HS256 is only believed when it is named: its keys can sign too, so others than its owner must
  /// not be able to read the file.
  public init(
    keySet: String, name: String, audience: String,
    algorithms: Set<SignatureAlgorithm> = SignatureAlgorithm.asymmetric
  ) {
    self.keySet = keySet
    self.name = name
    self.audience = audience
    self.algorithms = algorithms
  }

  /// The issuer with the keys that `contents` holds.
  ///
  /// - Throws: `KeyFailure` if there is none that can be used.
  func trusted(_ contents: Data) async throws(KeyFailure) -> TrustedIssuer {
    struct KeySet: Decodable { var keys: [JSONWebKey] }
    let set: KeySet
    do {
      set = try JSONDecoder().decode(KeySet.self, from: contents)
    } catch {
      throw KeyFailure(keySet, "not a JWK Set")
    }
    var keys: [VerificationKey] = []
    var problems: [String] = []
    for (index, jwk) in set.keys.enumerated() {
      do {
        let key = try await VerificationKey(jwk)
        if algorithms.contains(key.algorithm) {
          keys.append(key)
        } else {
          problems.append("\(index): \(key.algorithm.rawValue) is not among the algorithms")
        }
      } catch {
        problems.append("\(index): \(error.reason)")
      }
    }
    if keys.contains(where: { $0.algorithm == .hs256 }), try KeyFile.isExposed(keySet) {
      throw KeyFailure(
        keySet, "others than its owner can use this file, which has secret keys; run 'chmod 600' on it")
    }
    guard !keys.isEmpty else {
      throw KeyFailure(keySet, "no key that can be used (\(problems.joined(separator: "; ")))")
    }
    return TrustedIssuer(name: name, audience: audience, algorithms: algorithms, keys: keys, isOwn: false)
  }

  func read() throws(KeyFailure) -> Data {
    do {
      return try Data(contentsOf: URL(fileURLWithPath: keySet))
    } catch {
      throw KeyFailure(keySet, error.localizedDescription)
    }
  }
}
