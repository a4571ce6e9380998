import Crypto
import Primitives
import UserDomain

/// A hash by phpass (`$P$`, phpBB's `$H$`) or Drupal 7 (`$S$`): a digest of the salt and the password, then repeatedly of the
/// last digest and the password (openwall.com/phpass, Drupal 7 includes/password.inc).
struct PortablePHPHash: StoredHash {
  /// The beginning of a text.
  struct Prefix {
    let text: String
    let format: String
    let function: DigestFunction
    /// The length of the text in bytes. Drupal cuts off the rest of the digest.
    let length: Int
  }

  static let prefixes = [
    Prefix(text: "$P$", format: "phpass", function: .md5, length: 34),
    Prefix(text: "$H$", format: "phpass", function: .md5, length: 34),
    Prefix(text: "$S$", format: "drupal7", function: .sha512, length: 55),
  ]

  /// The bounds of log2 of the number of iterations; Drupal 7 writes 15, phpass 8 or 13.
  static let costBounds = 7...20
  /// The maximum length of a password in bytes, which is Drupal's. Each iteration hashes the password.
  static let maximumPasswordLength = 512

  private let function: DigestFunction
  private let iterations: Int
  private let salt: [UInt8]
  private let checksum: [UInt8]

  var memoryBytes: Int { 0 }

  /// Parses `$P$<cost of one digit><salt of 8 characters><hash>`.
  init(_ text: String, after prefix: Prefix) throws(StoredHashError) {
    let fields = try HashFields(text, format: prefix.format, counts: 3...3)
    let bytes = Array(text.utf8)
    guard bytes.count == prefix.length else {
      throw fields.malformed("has \(bytes.count) characters; it must have \(prefix.length)")
    }
    guard let cost = CryptDigits.value(bytes[3]) else { throw fields.malformed("has no cost") }
    iterations = 1 << (try fields.check(cost, "cost", in: Self.costBounds))
    function = prefix.function
    salt = Array(bytes[4..<12])
    checksum = Array(bytes[12...])
    guard checksum.allSatisfy({ CryptDigits.value($0) != nil }) else {
      throw fields.malformed("does not end in digits")
    }
  }

  func matches(_ password: [UInt8]) throws(UserError) -> Bool {
    guard password.count <= Self.maximumPasswordLength else { return false }
    let digest = function.iterate(iterations, from: salt + password, appending: password)
    return isEqualInConstantTime(CryptDigits.encode(digest).prefix(checksum.count), checksum)
  }
}
