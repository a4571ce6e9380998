/// Hashes of passwords from other systems, as the texts that the service accepts.
enum PasswordHashText {
  /// Firebase's variant of scrypt, as Ory Kratos writes it.
  static func firebase(hash: Base64Text, salt: Base64Text, _ hashing: FirebaseHashing) -> String {
    "$firescrypt$ln=\(hashing.memoryCost),r=\(hashing.rounds),p=1$\(salt.padded)$\(hash.padded)"
      + "$\(hashing.saltSeparator)$\(hashing.key)"
  }

  /// PBKDF2 (RFC 8018 section 5.2) with the HMAC of `digest`, as a PHC string.
  static func pbkdf2(_ digest: String, _ iterations: Int64, hash: Base64Text, salt: Base64Text) -> String {
    "$pbkdf2-\(digest)$i=\(iterations),l=\(hash.count)$\(salt.unpadded)$\(hash.unpadded)"
  }

  /// scrypt (RFC 7914), as a PHC string; nil if `cost` is not a power of two of at least 2.
  static func scrypt(
    cost: Int64, blockSize: Int64, parallelization: Int64, hash: Base64Text, salt: Base64Text
  ) -> String? {
    guard cost >= 2, cost & (cost - 1) == 0 else { return nil }
    return
      "$scrypt$ln=\(cost.trailingZeroBitCount),r=\(blockSize),p=\(parallelization)$\(salt.unpadded)$\(hash.unpadded)"
  }

  /// One digest of the password and a salt, as Ory Kratos writes it. `template` has `{PASSWORD}`, and `{SALT}` if there
  /// is a salt.
  static func digest(_ name: String, template: String, hash: Base64Text, salt: Base64Text) -> String {
    "$\(name)$pf=\(Base64Text(template.utf8).padded)$\(salt.padded)$\(hash.padded)"
  }

  /// An HMAC (RFC 2104) of the password, as Ory Kratos writes it: the hash is base64 of its hexadecimal text.
  static func hmac(_ digest: String, hexadecimal: String, key: Base64Text) -> String {
    "$hmac-\(digest)$\(Base64Text(hexadecimal.utf8).padded)$\(key.padded)"
  }
}

extension UserFileRow.Problem {
  /// The user has a hash that the service cannot check.
  static func unsupportedHash(_ algorithm: String) -> Self {
    Self("the password is hashed with '\(algorithm)', which is not supported")
  }
}
