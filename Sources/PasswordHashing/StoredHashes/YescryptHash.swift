import UserDomain

/// A hash by yescrypt (crypt(5)), with parameters as crypt_gensalt(3) chooses them.
struct YescryptHash: StoredHash {
  /// The bounds of log2(N).
  static let logarithmBounds = 10...18
  /// The bounds of r, the size of a block in units of 128 bytes.
  static let blockSizeBounds = 8...32
  /// The maximum memory of a check in bytes: crypt_gensalt(3)'s cost 9.
  static let maximumMemory = 256 << 20

  private let text: String
  let memoryBytes: Int
  var maximumPhraseLength: Int { Xcrypt.maximumPhraseLength }

  private static let checksumLength = 43

  /// Parses `$y$j9T$<salt>$<hash>`. The parameters are three digits: `j` for the default flavor, log2(N) − 1 and r − 1
  /// (libxcrypt, alg-yescrypt-common.c).
  init(_ text: String) throws(StoredHashError) {
    self.text = text
    let fields = try HashFields(text, format: "yescrypt", counts: 5...5)
    let digits = Array(fields[2].utf8)
    // A first digit above 47 begins a longer number.
    guard digits.count == 3, digits[0] == UInt8(ascii: "j"), let logarithm = CryptDigits.value(digits[1]),
      let blockSize = CryptDigits.value(digits[2]), logarithm < 48, blockSize < 48
    else { throw fields.malformed("has other parameters than crypt_gensalt(3) writes") }
    _ = try fields.check(logarithm + 1, "log2(N)", in: Self.logarithmBounds)
    _ = try fields.check(blockSize + 1, "r", in: Self.blockSizeBounds)
    memoryBytes = 128 * (blockSize + 1) << (logarithm + 1)
    _ = try fields.check(memoryBytes, "memory in bytes", in: 1...Self.maximumMemory)
    guard Self.isSalt(fields[3]) else { throw fields.malformed("has an invalid salt") }
    guard CryptDigits.areValid(fields[4], length: Self.checksumLength) else {
      throw fields.malformed("does not end in \(Self.checksumLength) digits")
    }
  }

  /// Returns whether `text` encodes 1 to 64 bytes: four digits for three bytes, whose unused bits are 0.
  private static func isSalt(_ text: Substring) -> Bool {
    guard CryptDigits.areValid(text, length: text.utf8.count), let last = CryptDigits.value(text.utf8.last)
    else {
      return false
    }
    switch text.utf8.count % 4 {
    case 0: return text.utf8.count <= 84
    case 2: return last < 1 << 2 && text.utf8.count <= 86
    case 3: return last < 1 << 4 && text.utf8.count <= 83
    default: return false
    }
  }

  func time(forLength length: Int) -> Duration { .nanoseconds(memoryBytes) }

  func matches(_ phrase: [UInt8]) throws(UserError) -> Bool {
    try Xcrypt.matches(phrase, text, checksumLength: Self.checksumLength)
  }
}
