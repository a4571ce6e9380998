import Foundation
import Primitives

/// An outside issuer whose access tokens the service trusts, and the file with its public keys.
public struct OutsideIssuer: Hashable, Sendable {
  /// The path of a JWK Set (RFC 7517 §5).
  public let keySet: String
  /// The required `iss`.
  public let name: String
  /// The required value in `aud`.
  public let audience: String
  /// The algorithms allowed for its tokens.
  public let algorithms: Set<SignatureAlgorithm>
  /// The rules for its tokens.
  public let rules: OutsideTokenRules

  /// The time for which the keys in use stay trusted while their file is unreadable or not a JWK Set: an hour.
  public static let graceForUnreadableKeys: Duration = .seconds(3_600)

  /// Creates an issuer. HS256 is only trusted if listed: its keys can also sign, so only the file's owner may be able
  /// to read the file.
  public init(
    keySet: String, name: String, audience: String,
    algorithms: Set<SignatureAlgorithm> = SignatureAlgorithm.asymmetric,
    rules: OutsideTokenRules = OutsideTokenRules()
  ) {
    self.keySet = keySet
    self.name = name
    self.audience = audience
    self.algorithms = algorithms
    self.rules = rules
  }

  /// A key of the set that is ignored.
  struct IgnoredKey: Hashable, Sendable {
    /// The key's index in the set, from 0, and its `kid`.
    let key: String
    let reason: String
  }

  /// Returns the issuer with the keys in `file`, and the ignored keys. Keys that the service does not understand are
  /// ignored (RFC 7517 §5). An empty set has no keys.
  ///
  /// - Throws: `KeyFailure` if the file is not a JWK Set, has two indistinguishable keys, or exposes secrets.
  func trusted(_ file: PrivateFile) async throws(KeyFailure) -> (TrustedIssuer, [IgnoredKey]) {
    var keys: [VerificationKey] = []
    var ignored: [IgnoredKey] = []
    for (index, entry) in try entries(file.contents).enumerated() {
      do throws(VerificationKey.Unusable) {
        let key = try await VerificationKey(entry.get())
        guard algorithms.contains(key.algorithm) else {
          throw VerificationKey.Unusable(
            kid: key.id, reason: "\(key.algorithm.rawValue) is not among the algorithms")
        }
        keys.append(key)
      } catch {
        let kid = error.kid.map { " (kid '\(Self.printable($0))')" } ?? ""
        ignored.append(IgnoredKey(key: "\(index)\(kid)", reason: error.reason))
      }
    }
    if keys.contains(where: { $0.algorithm == .hs256 }), let exposure = file.exposure {
      throw KeyFailure(keySet, exposure)
    }
    try checkNames(of: keys)
    return (trusting(keys), ignored)
  }

  /// Returns the issuer with these keys. Without keys, none of its tokens is trusted.
  func trusting(_ keys: [VerificationKey]) -> TrustedIssuer {
    TrustedIssuer(name: name, audience: audience, algorithms: algorithms, keys: keys, rules: rules)
  }

  private func entries(_ contents: Data) throws(KeyFailure) -> [Result<JSONWebKey, VerificationKey.Unusable>]
  {
    struct KeySet: Decodable { var keys: [JSONWebKey.Entry] }
    do throws(StrictJSON.Fault) {
      try StrictJSON.check(contents)
    } catch {
      switch error {
      case .malformed: throw KeyFailure(keySet, "not a JWK Set: not JSON")
      case .duplicate(let name):
        throw KeyFailure(keySet, "not a JWK Set: an object has the member '\(Self.printable(name))' twice")
      }
    }
    do {
      return try JSONDecoder().decode(KeySet.self, from: contents).keys.map(\.result)
    } catch {
      throw KeyFailure(keySet, "not a JWK Set: it has no list 'keys'")
    }
  }

  /// Checks that tokens can tell the keys apart. One id for two keys of an algorithm is ambiguous; one id for several
  /// algorithms is not (RFC 7517 §4.5).
  private func checkNames(of keys: [VerificationKey]) throws(KeyFailure) {
    var seen = Set<String>()
    for key in keys {
      guard let id = key.id else { continue }
      if !seen.insert("\(key.algorithm.rawValue) \(id)").inserted {
        throw KeyFailure(
          keySet, "two keys for \(key.algorithm.rawValue) have the key id (kid) '\(Self.printable(id))'")
      }
    }
  }

  /// Returns `text` from the set as one short word that cannot imitate a line of the log.
  private static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.prefix(64).map { (0x21..<0x7f).contains($0.value) ? $0 : "?" }))
  }

  func read() throws(KeyFailure) -> PrivateFile {
    do {
      return try PrivateFile(path: keySet)
    } catch {
      throw KeyFailure(error)
    }
  }
}
