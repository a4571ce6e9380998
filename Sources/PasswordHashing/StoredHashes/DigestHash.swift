import Primitives
import UserDomain

/// A digest, or an HMAC, of a password and a salt.
struct DigestHash: StoredHash {
  /// The bounds of the rounds, which are Firebase's.
  static let roundsBounds = 1...8_192

  private let function: DigestFunction
  private let message: MessageTemplate
  private let salt: [UInt8]
  private let rounds: Int
  /// The key of an HMAC, or nil for a digest.
  private let key: [UInt8]?
  private let hash: [UInt8]

  var memoryBytes: Int { 0 }

  /// Parses `$sha256$pf=<template>$<salt>$<hash>` and `$sha256$<hash>` without a salt, all in base64 (Ory Kratos,
  /// hash/hash_comparator.go). `$sha256$i=8192,pf=…` has rounds: each further one is the digest of the last digest.
  init(_ text: String, _ function: DigestFunction) throws(StoredHashError) {
    let fields = try HashFields(text, format: "\(function)", counts: 3...5)
    self.function = function
    key = nil
    if fields.count == 3 {
      (message, salt, rounds) = (.password, [], 1)
    } else {
      guard fields.count == 5 else { throw fields.malformed("has 4 fields") }
      let hasRounds = fields[2].hasPrefix("i=")
      let values = try fields.values(2, hasRounds ? ["i", "pf"] : ["pf"])
      rounds = hasRounds ? try fields.number(values[0], "rounds", in: Self.roundsBounds) : 1
      message = try MessageTemplate(values[values.count - 1], fields)
      salt = try fields.base64(3, "salt", 0...256)
    }
    hash = try Self.digest(fields, fields.count - 1, function)
  }

  /// Parses `$hmac-sha256$<hash>$<key>` in base64, an HMAC of the password (Ory Kratos, hash/hash_comparator.go), and
  /// `$hmac-sha256$pf=<template>$<salt>$<hash>$<key>`, one of a password and a salt.
  init(hmac text: String, _ function: DigestFunction) throws(StoredHashError) {
    let fields = try HashFields(text, format: "hmac-\(function)", counts: 4...6)
    self.function = function
    rounds = 1
    if fields.count == 4 {
      (message, salt) = (.password, [])
    } else {
      guard fields.count == 6 else { throw fields.malformed("has 5 fields") }
      message = try MessageTemplate(fields.values(2, ["pf"])[0], fields)
      salt = try fields.base64(3, "salt", 0...256)
    }
    hash = try Self.digest(fields, fields.count - 2, function)
    key = try fields.base64(fields.count - 1, "key", 1...256)
  }

  /// Parses `{SSHA}`, `{SSHA256}`, `{SSHA384}` or `{SSHA512}` with base64 of the digest of password and salt, and the
  /// salt (RFC 3112); nil for text of another format. The letters may have either case, as in OpenLDAP.
  init?(ldap text: String) throws(StoredHashError) {
    guard text.prefix(5).uppercased() == "{SSHA" else { return nil }
    let fields = try HashFields(text, format: "ssha", counts: 2...2, separator: "}")
    let functions: [String: DigestFunction] = [
      "{SSHA": .sha1, "{SSHA256": .sha256, "{SSHA384": .sha384, "{SSHA512": .sha512,
    ]
    guard let function = functions[fields[0].uppercased()] else {
      throw fields.malformed("has an unknown function")
    }
    let bytes = try fields.base64(1, "hash", (function.length + 1)...(function.length + 64))
    self.function = function
    (message, rounds, key) = (.passwordThenSalt, 1, nil)
    hash = Array(bytes.prefix(function.length))
    salt = Array(bytes.dropFirst(function.length))
  }

  /// Parses `md5$<salt>$<hash>`: the salt as text, the hash in hexadecimal (django.contrib.auth.hashers).
  init(django text: String) throws(StoredHashError) {
    let fields = try HashFields(text, format: "md5", counts: 3...3)
    (function, message, rounds, key) = (.md5, .saltThenPassword, 1, nil)
    salt = try fields.saltText(1)
    hash = try fields.hexadecimal(2, "hash", 16...16)
  }

  /// Reads a digest in base64: its bytes, or their hexadecimal digits as Ory Kratos has them in HMACs, and Firebase in
  /// digests.
  private static func digest(
    _ fields: HashFields, _ field: Int, _ function: DigestFunction
  ) throws(StoredHashError) -> [UInt8] {
    let bytes = try fields.base64(field, "hash", function.length...(2 * function.length))
    if bytes.count == function.length { return bytes }
    guard bytes.count == 2 * function.length, let digest = HashFields.hexadecimal(bytes) else {
      throw fields.malformed("has a hash of \(bytes.count) bytes; it must have \(function.length)")
    }
    return digest
  }

  /// Nearly free: 0.5 µs a round.
  func time(forLength length: Int) -> Duration { .nanoseconds(500 * rounds) }

  func matches(_ phrase: [UInt8]) throws(UserError) -> Bool {
    let message = message.fill(password: phrase, salt: salt)
    let computed =
      key.map { function.authenticationCode(message, key: $0) }
      ?? function.iterate(rounds - 1, from: message, appending: [])
    return isEqualInConstantTime(computed, hash)
  }
}
