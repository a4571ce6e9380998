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
    let phraseRule: PhraseRule
    /// The time of an iteration for each 64 bytes of a phrase, in nanoseconds of one core.
    let nanoseconds: Int
    /// The length of the text in bytes. Drupal cuts off the rest of the digest.
    let length: Int
  }

  static let prefixes = [
    Prefix(
      text: "$P$", format: "phpass", function: .md5, phraseRule: .phpass, nanoseconds: 200, length: 34),
    Prefix(text: "$H$", format: "phpass", function: .md5, phraseRule: .phpBB, nanoseconds: 200, length: 34),
    Prefix(
      text: "$S$", format: "drupal7", function: .sha512, phraseRule: .asTyped, nanoseconds: 250, length: 55),
  ]

  /// The bounds of log2 of the number of iterations; Drupal 7 writes 15, phpass 8 or 13.
  static let costBounds = 7...20
  /// Drupal's maximum length of a password in bytes.
  private static let longestPhrase = 512

  let phraseRule: PhraseRule
  private let function: DigestFunction
  private let cost: RoundCost
  private let salt: [UInt8]
  private let checksum: [UInt8]

  var memoryBytes: Int { 0 }
  var maximumPhraseLength: Int { min(cost.maximumPhraseLength, Self.longestPhrase) }

  /// Parses `$P$<cost of one digit><salt of 8 characters><hash>`.
  init(_ text: String, after prefix: Prefix) throws(StoredHashError) {
    let fields = try HashFields(text, format: prefix.format, counts: 3...3)
    let bytes = Array(text.utf8)
    guard bytes.count == prefix.length else {
      throw fields.malformed("has \(bytes.count) characters; it must have \(prefix.length)")
    }
    guard let logarithm = CryptDigits.value(bytes[3]) else { throw fields.malformed("has no cost") }
    cost = RoundCost(
      rounds: 1 << (try fields.check(logarithm, "cost", in: Self.costBounds)), nanoseconds: prefix.nanoseconds
    )
    phraseRule = prefix.phraseRule
    function = prefix.function
    salt = Array(bytes[4..<12])
    checksum = Array(bytes[12...])
    guard checksum.allSatisfy({ CryptDigits.value($0) != nil }) else {
      throw fields.malformed("does not end in digits")
    }
  }

  func time(forLength length: Int) -> Duration { cost.time(forLength: length) }

  func matches(_ phrase: [UInt8]) throws(UserError) -> Bool {
    let digest = function.iterate(cost.rounds, from: salt + phrase, appending: phrase)
    return isEqualInConstantTime(CryptDigits.encode(digest).prefix(checksum.count), checksum)
  }
}
