/// The formats of stored hashes, told apart by how their texts begin.
enum StoredHashFormat {
  private typealias Parser = @Sendable (String) throws(StoredHashError) -> any StoredHash

  /// The maximum length of a text in bytes.
  static let maximumLength = 1_024

  /// Parses the text of a hash. Every format is printable ASCII, which the parsers rely on.
  ///
  /// - Throws: `StoredHashError` with the reason.
  static func parse(_ text: String) throws(StoredHashError) -> any StoredHash {
    guard text.utf8.count <= maximumLength else {
      throw .outOfRange("must be at most \(maximumLength) bytes")
    }
    guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw .malformed("must be printable ASCII without spaces")
    }
    for (prefix, parser) in parsers where text.utf8.starts(with: prefix.utf8) { return try parser(text) }
    if let hash = try DigestHash(ldap: text) { return hash }
    if let hash = try PBKDF2Hash(identity: text) { return hash }
    throw .unknownFormat
  }

  private static let parsers: [(prefix: String, parser: Parser)] =
    argon2 + bcrypt + crypt + scrypt + pbkdf2 + portablePHP + digests + hmacs + djangoDigests

  private static let argon2: [(String, Parser)] = [
    ("$argon2", { (text) throws(StoredHashError) in try PHCString(text) }),
    // Django's, with the name of its hasher before the PHC string.
    ("argon2$argon2", { (text) throws(StoredHashError) in try PHCString(String(text.dropFirst(6))) }),
  ]

  private static let bcrypt: [(String, Parser)] = BcryptHash.prefixes.map { prefix in
    (prefix.text, { (text) throws(StoredHashError) in try BcryptHash(text, after: prefix) })
  }

  private static let crypt: [(String, Parser)] = CryptHash.prefixes.map { (prefix, function) in
    (prefix, { (text) throws(StoredHashError) in try CryptHash(text, after: prefix, function) })
  }

  private static let scrypt: [(String, Parser)] = [
    ("$scrypt$", { (text) throws(StoredHashError) in try ScryptHash(phc: text) }),
    ("scrypt$", { (text) throws(StoredHashError) in try ScryptHash(django: text) }),
    ("scrypt:", { (text) throws(StoredHashError) in try ScryptHash(werkzeug: text) }),
    ("$firescrypt$", { (text) throws(StoredHashError) in try FirebaseScryptHash(text) }),
    ("$y$", { (text) throws(StoredHashError) in try YescryptHash(text) }),
  ]

  private static let pbkdf2: [(String, Parser)] = [
    ("$pbkdf2", { (text) throws(StoredHashError) in try PBKDF2Hash(phc: text) }),
    ("pbkdf2_", { (text) throws(StoredHashError) in try PBKDF2Hash(django: text) }),
    ("pbkdf2:", { (text) throws(StoredHashError) in try PBKDF2Hash(werkzeug: text) }),
  ]

  private static let portablePHP: [(String, Parser)] = PortablePHPHash.prefixes.map { prefix in
    (prefix.text, { (text) throws(StoredHashError) in try PortablePHPHash(text, after: prefix) })
  }

  private static let digests: [(String, Parser)] = DigestFunction.allCases.map { function in
    ("$\(function)$", { (text) throws(StoredHashError) in try DigestHash(text, function) })
  }

  private static let hmacs: [(String, Parser)] = DigestFunction.allCases.map { function in
    ("$hmac-\(function)$", { (text) throws(StoredHashError) in try DigestHash(hmac: text, function) })
  }

  private static let djangoDigests: [(String, Parser)] = [
    ("md5$", { (text) throws(StoredHashError) in try DigestHash(django: text) })
  ]
}
