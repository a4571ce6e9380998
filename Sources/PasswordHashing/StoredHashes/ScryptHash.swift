import Primitives
import UserDomain

/// A hash by scrypt (RFC 7914).
struct ScryptHash: StoredHash {
  private let cost: ScryptCost
  private let salt: [UInt8]
  private let hash: [UInt8]

  /// The lengths of hashes that the formats have, in bytes.
  private static let lengths = [32, 64]
  private static let format = "scrypt"

  var memoryBytes: Int { cost.memoryBytes }

  /// Parses `$scrypt$ln=16,r=8,p=1$<salt>$<hash>`, both in base64 (passlib.hash.scrypt). An `ln` above 63 is N itself, as
  /// Ory Kratos writes it (hash/hash_comparator.go).
  init(phc text: String) throws(StoredHashError) {
    let fields = try HashFields(text, format: Self.format, counts: 5...5)
    let costs = try fields.values(2, ["ln", "r", "p"])
    if let number = Int(costs[0]), number > 63 {
      cost = try ScryptCost(blocks: costs[0], blockSize: costs[1], parallelism: costs[2], fields)
    } else {
      cost = try ScryptCost(logarithm: costs[0], blockSize: costs[1], parallelism: costs[2], fields)
    }
    salt = try fields.base64(3, "salt", HashFields.saltBounds)
    hash = try fields.base64(4, "hash", 32...64)
    guard Self.lengths.contains(hash.count) else {
      throw fields.malformed("has a hash of \(hash.count) bytes; it must have 32 or 64")
    }
  }

  /// Parses `scrypt$<N>$<salt>$<r>$<p>$<hash>`: the salt as text, the hash in base64 (django.contrib.auth.hashers).
  init(django text: String) throws(StoredHashError) {
    let fields = try HashFields(text, format: Self.format, counts: 6...6)
    cost = try ScryptCost(blocks: fields[1], blockSize: fields[3], parallelism: fields[4], fields)
    salt = try fields.saltText(2)
    hash = try fields.base64(5, "hash", 64...64)
  }

  /// Parses `scrypt:<N>:<r>:<p>$<salt>$<hash>`: the salt as text, the hash in hexadecimal (werkzeug.security).
  init(werkzeug text: String) throws(StoredHashError) {
    let fields = try HashFields(text, format: Self.format, counts: 3...3)
    let costs = try HashFields(fields[0], format: Self.format, counts: 4...4, separator: ":")
    cost = try ScryptCost(blocks: costs[1], blockSize: costs[2], parallelism: costs[3], fields)
    salt = try fields.saltText(1)
    hash = try fields.hexadecimal(2, "hash", 64...64)
  }

  func time(forLength length: Int) -> Duration { cost.time }

  func matches(_ phrase: [UInt8]) throws(UserError) -> Bool {
    isEqualInConstantTime(try cost.key(phrase, salt: salt, length: hash.count), hash)
  }
}
