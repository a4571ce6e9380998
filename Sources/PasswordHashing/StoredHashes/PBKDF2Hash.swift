import Crypto
import CryptoExtras
import Primitives
import UserDomain

/// A hash by PBKDF2 (RFC 8018 §5.2) with an HMAC.
struct PBKDF2Hash: StoredHash {
  /// The bounds of a hash in bytes. passport-local-mongoose writes 512.
  private static let hashBounds = 16...512

  /// The functions under the HMAC, by their names in texts. Ory Kratos means SHA-3 by `sha224` and `sha384`.
  private enum Function: String {
    case sha1
    case sha256
    case sha512

    /// The length of a block of output in bytes.
    var length: Int {
      switch self {
      case .sha1: 20
      case .sha256: 32
      case .sha512: 64
      }
    }

    /// The bounds of the iterations times the blocks of output: at most 1.2 s of one core, and more than systems write by
    /// default. Keycloak's SHA-1 takes 1,300,000 × 4.
    var workBounds: ClosedRange<Int> {
      switch self {
      case .sha1: 1...6_000_000
      case .sha256: 1...3_000_000
      case .sha512: 1...2_000_000
      }
    }

    /// The time of an iteration for a block, in nanoseconds of one core.
    var nanoseconds: Int {
      switch self {
      case .sha1: 200
      case .sha256: 200
      case .sha512: 400
      }
    }

    var underlying: KDF.Insecure.PBKDF2.HashFunction {
      switch self {
      case .sha1: .insecureSHA1
      case .sha256: .sha256
      case .sha512: .sha512
      }
    }
  }

  private let function: Function
  private let iterations: Int
  /// The iterations of all blocks of output.
  private let work: Int
  private let salt: [UInt8]
  private let hash: [UInt8]

  private static let format = "pbkdf2"

  var memoryBytes: Int { 0 }

  private init(
    _ function: Function, _ iterations: Int, _ salt: [UInt8], _ hash: [UInt8], _ fields: HashFields
  ) throws(StoredHashError) {
    self.function = function
    self.iterations = iterations
    self.salt = salt
    self.hash = hash
    let blocks = (hash.count + function.length - 1) / function.length
    work = try fields.check(iterations * blocks, "iterations × blocks of output", in: function.workBounds)
  }

  /// Parses `$pbkdf2-sha256$i=600000,l=32$<salt>$<hash>` in base64, where `l` is optional (Ory Kratos), and
  /// `$pbkdf2-sha256$29000$<salt>$<hash>` or `$pbkdf2$…` with SHA-1 in adapted base64 (passlib.hash.pbkdf2_sha256).
  init(phc text: String) throws(StoredHashError) {
    let fields = try HashFields(text, format: Self.format, counts: 5...5)
    let name = fields[1] == "pbkdf2" ? "sha1" : String(fields[1].dropFirst("pbkdf2-".utf8.count))
    let function = try Self.function(
      fields[1] == "pbkdf2" || fields[1].hasPrefix("pbkdf2-") ? name : "", fields)
    let isPasslib = !fields[2].hasPrefix("i=")
    var length = function.length
    let iterations: Substring
    if isPasslib {
      iterations = fields[2]
    } else if fields[2].contains(",") {
      let values = try fields.values(2, ["i", "l"])
      iterations = values[0]
      length = try fields.number(values[1], "length of the hash", in: Self.hashBounds)
    } else {
      iterations = fields[2].dropFirst(2)
    }
    try self.init(
      function, Self.iterations(iterations, function, fields),
      fields.base64(3, "salt", HashFields.saltBounds, isAdapted: isPasslib),
      fields.base64(4, "hash", length...length, isAdapted: isPasslib), fields)
  }

  /// Parses `pbkdf2_sha256$<iterations>$<salt>$<hash>`: the salt as text, the hash in base64
  /// (django.contrib.auth.hashers).
  init(django text: String) throws(StoredHashError) {
    let fields = try HashFields(text, format: Self.format, counts: 4...4)
    let function = try Self.function(fields[0].dropFirst("pbkdf2_".utf8.count), fields)
    try self.init(
      function, Self.iterations(fields[1], function, fields), fields.saltText(2),
      fields.base64(3, "hash", function.length...function.length), fields)
  }

  /// Parses `pbkdf2:sha256:<iterations>$<salt>$<hash>`: the salt as text, the hash in hexadecimal (werkzeug.security).
  init(werkzeug text: String) throws(StoredHashError) {
    let fields = try HashFields(text, format: Self.format, counts: 3...3)
    let method = try HashFields(fields[0], format: Self.format, counts: 3...3, separator: ":")
    let function = try Self.function(method[1], fields)
    try self.init(
      function, Self.iterations(method[2], function, fields), fields.saltText(1),
      fields.hexadecimal(2, "hash", function.length...function.length), fields)
  }

  /// Parses the text of ASP.NET Core Identity, base64 of a versioned record (Identity/Extensions.Core PasswordHasher.cs);
  /// nil for text of another format.
  ///
  /// Version 2 is 0, a salt of 16 bytes and a hash of 32, by 1,000 iterations with SHA-1. Version 3 is 1, three big-endian
  /// numbers of 32 bits (function, iterations, length of the salt), the salt, and a hash of 32 bytes.
  init?(identity text: String) throws(StoredHashError) {
    guard let record = HashFields.base64(text), let version = record.first, version <= 1 else { return nil }
    let fields = try HashFields("", format: "ASP.NET Identity", counts: 1...1)
    if version == 0 {
      _ = try fields.check(record, "record", 49...49)
      try self.init(.sha1, 1_000, Array(record[1..<17]), Array(record[17...]), fields)
      return
    }
    _ = try fields.check(record, "record", 61...109)
    let numbers = [1, 5, 9].map { start in
      record[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    guard let function = [0: Function.sha1, 1: .sha256, 2: .sha512][numbers[0]] else {
      throw fields.malformed("has an unknown function")
    }
    _ = try fields.check(numbers[2], "length of the salt", in: 16...64)
    _ = try fields.check(record, "record", (13 + numbers[2] + 32)...(13 + numbers[2] + 32))
    try self.init(
      function, fields.check(numbers[1], "iterations", in: function.workBounds),
      Array(record[13..<13 + numbers[2]]), Array(record[(13 + numbers[2])...]), fields)
  }

  private static func function(
    _ name: some StringProtocol, _ fields: HashFields
  ) throws(StoredHashError) -> Function {
    guard let function = Function(rawValue: String(name)) else {
      throw fields.malformed("has an unknown function")
    }
    return function
  }

  private static func iterations(
    _ digits: Substring, _ function: Function, _ fields: HashFields
  ) throws(StoredHashError) -> Int {
    try fields.number(digits, "iterations", in: function.workBounds)
  }

  func time(forLength length: Int) -> Duration { .nanoseconds(function.nanoseconds * work) }

  func matches(_ phrase: [UInt8]) throws(UserError) -> Bool {
    do {
      let key = try KDF.Insecure.PBKDF2.deriveKey(
        from: phrase, salt: salt, using: function.underlying, outputByteCount: hash.count,
        unsafeUncheckedRounds: iterations)
      return key.withUnsafeBytes { isEqualInConstantTime(Array($0), hash) }
    } catch {
      // The bounds leave a failed allocation.
      throw .passwordHashing("pbkdf2: \(error)")
    }
  }
}
