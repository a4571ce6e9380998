import Crypto
import Foundation
import Primitives
import UserDomain

/// A hash by bcrypt (crypt(5)), which uses the first 72 bytes of a password.
struct BcryptHash: StoredHash {
  /// How a password becomes bcrypt's.
  enum Preparation {
    /// As it is.
    case none
    /// The hexadecimal SHA-256, as in Django's `bcrypt_sha256`.
    case sha256
    /// base64 of an HMAC-SHA-384, as in WordPress from 6.8.
    case wordPress
  }

  /// The beginning of a text, before bcrypt's own.
  struct Prefix {
    /// The text, with the name of bcrypt's variant.
    let text: String
    let preparation: Preparation
    /// The length of what is not bcrypt's.
    let outerLength: Int
  }

  /// The bounds of log2 of the number of iterations: 14 takes about 0.7 s of one core.
  static let costBounds = 4...14

  static let prefixes: [Prefix] = ["2a", "2b", "2y"].flatMap { variant in
    [
      Prefix(text: "$\(variant)$", preparation: .none, outerLength: 0),
      Prefix(text: "bcrypt$$\(variant)$", preparation: .none, outerLength: 7),
      Prefix(text: "bcrypt_sha256$$\(variant)$", preparation: .sha256, outerLength: 14),
      Prefix(text: "$wp$\(variant)$", preparation: .wordPress, outerLength: 3),
    ]
  }

  private let text: String
  private let preparation: Preparation
  private let cost: Int

  /// The length of the checksum in digits. The setting may differ: libxcrypt clears the unused bits of a salt.
  private static let checksumLength = 31

  var memoryBytes: Int { 0 }

  var phraseRule: PhraseRule {
    switch preparation {
    case .none: .bcrypt
    case .sha256: .asTyped
    case .wordPress: .wordPress
    }
  }

  /// Parses `$2b$12$<salt of 22 digits><hash of 31>`, the variants `$2a$` and `$2y$`, and what Django and WordPress write
  /// before it.
  init(_ text: String, after prefix: Prefix) throws(StoredHashError) {
    self.text = prefix.outerLength == 0 ? text : String(text.dropFirst(prefix.outerLength))
    preparation = prefix.preparation
    let fields = try HashFields(self.text, format: "bcrypt", counts: 4...4)
    let digits = fields[2]
    guard digits.utf8.count == 2 else { throw fields.malformed("has no cost of two digits") }
    cost = try fields.number(digits.first == "0" ? digits.dropFirst() : digits, "cost", in: Self.costBounds)
    guard CryptDigits.areValid(fields[3], length: 22 + Self.checksumLength) else {
      throw fields.malformed("does not end in 53 digits")
    }
  }

  func time(forLength length: Int) -> Duration { .microseconds(43 << cost) }

  func matches(_ phrase: [UInt8]) throws(UserError) -> Bool {
    let key: [UInt8] =
      switch preparation {
      case .none: phrase
      case .sha256: Array(Hexadecimal.encode(Array(SHA256.hash(data: phrase))).utf8)
      case .wordPress: Self.wordPressKey(phrase)
      }
    return try Xcrypt.matches(key, text, checksumLength: Self.checksumLength)
  }

  private static func wordPressKey(_ phrase: [UInt8]) -> [UInt8] {
    let code = HMAC<SHA384>.authenticationCode(
      for: phrase, using: SymmetricKey(data: Array("wp-sha384".utf8)))
    return Array(Data(code).base64EncodedData())
  }
}
