import Foundation

/// An Argon2id hash in the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`, base64 unpadded
/// (github.com/P-H-C/phc-string-format).
///
/// It is parsed before libargon2 gets a stored hash, because libargon2 allocates as much memory as the string demands.
struct PHCString: Hashable {
  let parameters: Argon2Parameters
  let saltLength: Int
  let tagLength: Int

  /// The bounds of a stored hash; an imported one may be weaker than new ones.
  private static let memoryBounds = 8...Argon2Parameters.memoryBounds.upperBound
  private static let saltBounds = 8...64
  private static let tagBounds = 16...64

  /// Parses `text`; nil if it is not such a hash, or exceeds the bounds.
  init?(_ text: String) {
    let parts = text.split(separator: "$", omittingEmptySubsequences: false)
    guard parts.count == 6, parts[0].isEmpty, parts[1] == "argon2id", parts[2] == "v=19" else { return nil }

    let costs = parts[3].split(separator: ",", omittingEmptySubsequences: false)
    guard costs.count == 3,
      let memoryKiB = Self.number(costs[0], named: "m="),
      let iterations = Self.number(costs[1], named: "t="),
      let parallelism = Self.number(costs[2], named: "p="),
      Self.memoryBounds.contains(memoryKiB),
      Argon2Parameters.iterationBounds.contains(iterations),
      Argon2Parameters.parallelismBounds.contains(parallelism),
      memoryKiB >= 8 * parallelism  // RFC 9106 §3.1
    else { return nil }

    guard let saltLength = Self.decodedLength(parts[4]), Self.saltBounds.contains(saltLength),
      let tagLength = Self.decodedLength(parts[5]), Self.tagBounds.contains(tagLength)
    else { return nil }

    parameters = Argon2Parameters(unchecked: memoryKiB, iterations: iterations, parallelism: parallelism)
    self.saltLength = saltLength
    self.tagLength = tagLength
  }

  /// Returns the text of such a hash.
  static func text(_ parameters: Argon2Parameters, salt: [UInt8], tag: [UInt8]) -> String {
    let costs = "m=\(parameters.memoryKiB),t=\(parameters.iterations),p=\(parameters.parallelism)"
    return "$argon2id$v=19$\(costs)$\(base64(salt))$\(base64(tag))"
  }

  private static func base64(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("=", with: "")
  }

  private static func number(_ text: Substring, named name: String) -> Int? {
    guard text.hasPrefix(name) else { return nil }
    let digits = text.dropFirst(name.count)
    guard (1...9).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      digits == "0" || !digits.hasPrefix("0")
    else { return nil }
    return Int(digits)
  }

  /// Returns the length of the bytes that unpadded base64 (RFC 4648 §4) encodes, or nil for other text.
  private static func decodedLength(_ text: Substring) -> Int? {
    let length = text.utf8.count
    let isBase64 = text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "+"), UInt8(ascii: "/"): true
      default: false
      }
    }
    guard isBase64, length % 4 != 1 else { return nil }
    return length * 3 / 4
  }
}
