import UserDomain

/// A hash by `md5crypt`, `sha256crypt` or `sha512crypt` (crypt(5)).
struct CryptHash: StoredHash {
  /// A function of crypt(5).
  enum Function: String {
    case md5crypt
    case sha256crypt
    case sha512crypt

    /// crypt(5)'s prefix.
    var prefix: String {
      switch self {
      case .md5crypt: "$1$"
      case .sha256crypt: "$5$"
      case .sha512crypt: "$6$"
      }
    }

    /// The number of digits of a hash.
    var checksumLength: Int {
      switch self {
      case .md5crypt: 22
      case .sha256crypt: 43
      case .sha512crypt: 86
      }
    }

    /// The maximum number of characters of a salt. libxcrypt cuts off the rest.
    var saltLength: Int { self == .md5crypt ? 8 : 16 }

    /// The time of a round for each 64 bytes of a phrase, in nanoseconds of one core.
    var nanoseconds: Int {
      switch self {
      case .md5crypt: 140
      case .sha256crypt: 240
      case .sha512crypt: 170
      }
    }

    /// The number of rounds without `rounds=`.
    var defaultRounds: Int { self == .md5crypt ? 1_000 : 5_000 }

    /// The number of fields: a salt, a hash, and optional rounds before them.
    var fieldCounts: ClosedRange<Int> { self == .md5crypt ? 2...2 : 2...3 }
  }

  /// The bounds of the rounds. A million takes 0.2 to 0.3 s of one core for a phrase of 16 bytes.
  static let roundsBounds = 1_000...1_000_000

  /// crypt(5)'s prefixes, and those by which Ory Kratos imports the same hashes.
  static let prefixes: [(text: String, function: Function)] = [
    ("$1$", .md5crypt), ("$5$", .sha256crypt), ("$6$", .sha512crypt),
    ("$md5-crypt$", .md5crypt), ("$sha256-crypt$", .sha256crypt), ("$sha512-crypt$", .sha512crypt),
  ]

  private let text: String
  private let checksumLength: Int
  private let cost: RoundCost

  var memoryBytes: Int { 0 }
  var maximumPhraseLength: Int { min(cost.maximumPhraseLength, Xcrypt.maximumPhraseLength) }

  /// Parses `$6$<salt>$<hash>` and `$6$rounds=656000$<salt>$<hash>`.
  init(_ text: String, after prefix: String, _ function: Function) throws(StoredHashError) {
    let rest = text.dropFirst(prefix.utf8.count)
    self.text = function.prefix + rest
    checksumLength = function.checksumLength
    let fields = try HashFields(rest, format: function.rawValue, counts: function.fieldCounts)
    var rounds = function.defaultRounds
    if fields.count == 3 {
      guard fields[0].hasPrefix("rounds=") else { throw fields.malformed("has no rounds") }
      rounds = try fields.number(fields[0].dropFirst("rounds=".utf8.count), "rounds", in: Self.roundsBounds)
    }
    cost = RoundCost(rounds: rounds, nanoseconds: function.nanoseconds)
    let salt = fields[fields.count - 2]
    // crypt(5) forbids these characters in hashes.
    guard salt.utf8.count <= function.saltLength, !salt.hasPrefix("rounds="),
      !salt.contains(where: "!*:;\\".contains)
    else { throw fields.malformed("has an invalid salt") }
    guard CryptDigits.areValid(fields[fields.count - 1], length: checksumLength) else {
      throw fields.malformed("does not end in \(checksumLength) digits")
    }
  }

  func time(forLength length: Int) -> Duration { cost.time(forLength: length) }

  func matches(_ phrase: [UInt8]) throws(UserError) -> Bool {
    try Xcrypt.matches(phrase, text, checksumLength: checksumLength)
  }
}
