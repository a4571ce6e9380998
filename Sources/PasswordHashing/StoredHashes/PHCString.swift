import Foundation
import UserDomain

/// An Argon2 hash in the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`, base64 unpadded
/// (github.com/P-H-C/phc-string-format).
///
/// It is parsed before libargon2 gets a stored hash, because libargon2 allocates as much memory as the string demands.
struct PHCString: Hashable, StoredHash {
  let variant: Argon2.Variant
  let parameters: Argon2Parameters
  let saltLength: Int
  let tagLength: Int
  private let text: String

  /// The bounds of a stored hash; an imported one may be weaker than new ones.
  private static let memoryBounds = 8...Argon2Parameters.memoryBounds.upperBound
  private static let saltBounds = 8...64
  private static let tagBounds = 16...64

  var memoryBytes: Int { parameters.memoryBytes }

  /// Parses `text`, which libargon2 then accepts.
  init(_ text: String) throws(StoredHashError) {
    let fields = try HashFields(text, format: "argon2", counts: 6...6)
    guard fields[0].isEmpty, let variant = Argon2.Variant(rawValue: String(fields[1])) else {
      throw fields.malformed("has an unknown variant")
    }
    guard fields[2] == "v=19" else { throw fields.malformed("is not of version 19") }
    let costs = try fields.values(3, ["m", "t", "p"])
    let memoryKiB = try fields.number(costs[0], "memory in KiB", in: Self.memoryBounds)
    let iterations = try fields.number(costs[1], "iterations", in: Argon2Parameters.iterationBounds)
    let parallelism = try fields.number(costs[2], "parallelism", in: Argon2Parameters.parallelismBounds)
    // RFC 9106 §3.1
    _ = try fields.check(memoryKiB, "memory in KiB", in: (8 * parallelism)...Self.memoryBounds.upperBound)
    saltLength = try Self.length(of: 4, "salt", Self.saltBounds, fields)
    tagLength = try Self.length(of: 5, "tag", Self.tagBounds, fields)
    parameters = Argon2Parameters(unchecked: memoryKiB, iterations: iterations, parallelism: parallelism)
    self.variant = variant
    self.text = text
  }

  func matches(_ password: [UInt8]) throws(UserError) -> Bool {
    do {
      return try Argon2.verify(password, encoded: text, variant)
    } catch {
      throw .passwordHashing(error.description)
    }
  }

  /// Returns the text of such a hash.
  static func text(_ parameters: Argon2Parameters, salt: [UInt8], tag: [UInt8]) -> String {
    let costs = "m=\(parameters.memoryKiB),t=\(parameters.iterations),p=\(parameters.parallelism)"
    return "$argon2id$v=19$\(costs)$\(base64(salt))$\(base64(tag))"
  }

  /// Returns unpadded base64.
  static func base64(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("=", with: "")
  }

  private static func length(
    of field: Int, _ name: String, _ bounds: ClosedRange<Int>, _ fields: HashFields
  ) throws(StoredHashError) -> Int {
    // libargon2 refuses padding.
    guard !fields[field].hasSuffix("=") else { throw fields.malformed("has a \(name) with padding") }
    return try fields.base64(field, name, bounds).count
  }
}
