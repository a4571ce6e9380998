import Foundation
import UserDomain

/// A signed JWT taken apart (RFC 7515 §7.1), nothing of it believed yet.
struct UnverifiedToken {
  let header: Header
  let claims: Claims
  /// The bytes that the signature is for.
  let signed: Data
  let signature: Data

  /// The header (RFC 7515 §4). What it says about where to find keys is not read.
  struct Header: Codable {
    var alg: String
    var kid: String?
    var typ: String?
    var crit: [String]?
  }

  /// The claims (RFC 7519 §4.1, RFC 9068 §2.2, RFC 8693 §4.2), and the service's own `epoch`.
  struct Claims: Codable {
    var iss: String
    var sub: String
    var aud: Audience
    var exp: Double
    var nbf: Double?
    var iat: Double?
    var scope: String?
    var sid: String?
    var epoch: Int64?
    var jti: String?
  }

  /// One audience or several (RFC 7519 §4.1.3).
  struct Audience: Codable {
    var names: [String]

    init(_ names: [String]) { self.names = names }

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      // Not a list is no error yet.
      if let list = try? container.decode([String].self) {
        names = list
      } else {
        names = [try container.decode(String.self)]
      }
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      if names.count == 1 { try container.encode(names[0]) } else { try container.encode(names) }
    }
  }

  /// Takes `token` apart.
  ///
  /// - Throws: `UserError.unauthenticated(.malformed)` for what is no signed JWT with the claims that are
  ///   required.
  init(_ token: String) throws(UserError) {
    let parts = token.utf8.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3, let header: Header = Self.decode(parts[0]),
      let claims: Claims = Self.decode(parts[1]),
      let signature = Base64URL.decode(Substring(parts[2]))
    else { throw .unauthenticated(.malformed) }
    self.header = header
    self.claims = claims
    self.signature = signature
    signed = Data(token.utf8[..<parts[1].endIndex])
  }

  private static func decode<Value: Decodable>(_ part: Substring.UTF8View) -> Value? {
    // Why it cannot be decoded is of no use to anybody: the client made it up, or cut it off.
    Base64URL.decode(Substring(part)).flatMap { try? JSONDecoder().decode(Value.self, from: $0) }
  }
}

extension Timestamp {
  /// The time that a claim gives in seconds (RFC 7519 §2, NumericDate); nil if it is beyond a million years.
  init?(numericDate seconds: Double) {
    guard abs(seconds) < 1e13 else { return nil }
    self.init(microsecondsSinceEpoch: Int64(seconds * 1_000_000))
  }

  /// As a claim has it, in whole seconds: rounded down.
  var numericDate: Double { (Double(microsecondsSinceEpoch) / 1_000_000).rounded(.down) }
}
