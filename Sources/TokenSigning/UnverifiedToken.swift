import Foundation
import Primitives
import UserDomain

/// A signed JWT taken apart (RFC 7515 §7.1), not verified yet.
///
/// JWTKit's parser is not used: it accepts objects with duplicate members, and base64 in place of base64url.
struct UnverifiedToken {
  let header: Header
  let claims: Claims
  /// The signed bytes.
  let signed: Data
  let signature: Data

  /// The header (RFC 7515 §4). Members that say where to find keys are not read.
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
    var aud: Strings
    var exp: Double
    var nbf: Double?
    var iat: Double?
    var scope: Strings?
    var sid: OwnClaim<String>?
    var epoch: OwnClaim<Int64>?
    var jti: OwnClaim<String>?
  }

  /// One text or several, as in `aud` (RFC 7519 §4.1.3), and in `scope` of some issuers.
  struct Strings: Codable {
    var strings: [String]

    init(_ strings: [String]) { self.strings = strings }

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      // A value that is not a list may still be a text.
      if let list = try? container.decode([String].self) {
        strings = list
      } else {
        strings = [try container.decode(String.self)]
      }
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      if strings.count == 1 { try container.encode(strings[0]) } else { try container.encode(strings) }
    }
  }

  /// A claim with a meaning only in the service's own tokens. In other tokens it may have any value, and is nil.
  struct OwnClaim<Value: Codable>: Codable {
    let value: Value?

    init(_ value: Value) { self.value = value }

    init(from decoder: any Decoder) throws {
      value = try? decoder.singleValueContainer().decode(Value.self)
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(value)
    }
  }

  /// Takes `token` apart.
  ///
  /// - Throws: `UserError.unauthenticated(.malformed)` for text that is not a signed JWT with the required claims, or
  ///   has a duplicate header member or claim (RFC 7515 §4, RFC 7519 §4).
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
    guard let json = Base64URL.decode(Substring(part)) else { return nil }
    // The reason of a failure is of no use to the client, which invented or truncated the token.
    guard (try? StrictJSON.check(json)) != nil else { return nil }
    return try? JSONDecoder().decode(Value.self, from: json)
  }
}

extension Timestamp {
  init(_ date: Date) {
    self.init(microsecondsSinceEpoch: Int64(date.timeIntervalSince1970 * 1_000_000))
  }

  var date: Date { Date(timeIntervalSince1970: Double(microsecondsSinceEpoch) / 1_000_000) }

  /// Creates the time of a claim in seconds (RFC 7519 §2, NumericDate); nil if it is 30,000 years away.
  init?(numericDate seconds: Double) {
    guard abs(seconds) < 1e12 else { return nil }
    self.init(microsecondsSinceEpoch: Int64(seconds * 1_000_000))
  }

  /// The time as in a claim, in whole seconds, rounded down.
  var numericDate: Double { (Double(microsecondsSinceEpoch) / 1_000_000).rounded(.down) }
}
