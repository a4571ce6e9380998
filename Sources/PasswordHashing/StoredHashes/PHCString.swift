import Foundation
import Primitives
import UserDomain

/// An Argon2 hash in the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`, base64 unpadded
/// (github.com/P-H-C/phc-string-format).
struct PHCString: StoredHash {
  let variant: Argon2.Variant
  let parameters: Argon2Parameters
  private let salt: [UInt8]
  private let tag: [UInt8]

  /// The bounds of a stored hash; an imported one may be weaker than new ones.
  private static let memoryBounds = 8...Argon2Parameters.memoryBounds.upperBound
  private static let parallelismBounds = 1...255
  private static let saltBounds = 8...64
  private static let tagBounds = 16...64
  /// The maximum of memory in KiB × iterations of another system's hash: about 0.6 s of one core.
  private static let maximumForeignWork = 1_048_576

  var saltLength: Int { salt.count }
  var tagLength: Int { tag.count }
  var memoryBytes: Int { parameters.memoryBytes }

  /// Parses `text`, which the bounds of libargon2 then permit.
  init(_ text: String) throws(StoredHashError) {
    let fields = try HashFields(text, format: "argon2", counts: 6...6)
    guard fields[0].isEmpty, let variant = Argon2.Variant(rawValue: String(fields[1])) else {
      throw fields.malformed("has an unknown variant")
    }
    guard fields[2] == "v=19" else { throw fields.malformed("is not of version 19") }
    let costs = try fields.values(3, ["m", "t", "p"])
    let memoryKiB = try fields.number(costs[0], "memory in KiB", in: Self.memoryBounds)
    let iterations = try fields.number(costs[1], "iterations", in: Argon2Parameters.iterationBounds)
    let parallelism = try fields.number(costs[2], "parallelism", in: Self.parallelismBounds)
    // RFC 9106 §3.1
    _ = try fields.check(memoryKiB, "memory in KiB", in: (8 * parallelism)...Self.memoryBounds.upperBound)
    salt = try Self.bytes(of: 4, "salt", Self.saltBounds, fields)
    tag = try Self.bytes(of: 5, "tag", Self.tagBounds, fields)
    parameters = Argon2Parameters(unchecked: memoryKiB, iterations: iterations, parallelism: parallelism)
    self.variant = variant
  }

  /// Creates an Argon2id hash of this service. The lengths and costs must be within the bounds.
  init(_ parameters: Argon2Parameters, salt: [UInt8], tag: [UInt8]) {
    (variant, self.parameters, self.salt, self.tag) = (.id, parameters, salt, tag)
  }

  /// The text of the hash.
  var text: String {
    let costs = "m=\(parameters.memoryKiB),t=\(parameters.iterations),p=\(parameters.parallelism)"
    return "$\(variant.rawValue)$v=19$\(costs)$\(Self.base64(salt))$\(Self.base64(tag))"
  }

  /// Checks the bound of the work for a hash of another system.
  func checkForeignWork() throws(StoredHashError) {
    let work = parameters.memoryKiB * parameters.iterations
    guard work <= Self.maximumForeignWork else {
      throw .outOfRange(
        "argon2 memory in KiB × iterations is \(work); it must be at most \(Self.maximumForeignWork)")
    }
  }

  func time(forLength length: Int) -> Duration { parameters.time }

  func matches(_ phrase: [UInt8]) throws(UserError) -> Bool {
    do {
      let computed = try Argon2.tag(
        of: phrase, salt: salt, length: tag.count, variant, parameters: parameters)
      return isEqualInConstantTime(computed, tag)
    } catch {
      throw .passwordHashing(error.description)
    }
  }

  /// Returns unpadded base64.
  static func base64(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("=", with: "")
  }

  private static func bytes(
    of field: Int, _ name: String, _ bounds: ClosedRange<Int>, _ fields: HashFields
  ) throws(StoredHashError) -> [UInt8] {
    // The format has none.
    guard !fields[field].hasSuffix("=") else { throw fields.malformed("has a \(name) with padding") }
    return try fields.base64(field, name, bounds)
  }
}
