import Foundation

/// A password in the clear, passed only to the hasher.
///
/// A password may be any Unicode text. It is normalised to NFKC, so that the same password typed on another keyboard
/// matches (NIST SP 800-63B-4 §3.1.1.2), and never truncated. ``PasswordPolicy`` has the rules for new ones. A password
/// never prints itself.
///
/// Other systems hash the text as typed. It is kept beside the NFKC form, for hashes that were imported from them.
public struct Password: Sendable, Redacted {
  /// The maximum length of a password, in bytes of UTF-8 as given.
  public static let maximumLength = 1_024

  /// The NFKC form, whose UTF-8 is hashed.
  public let normalized: String

  /// The text as the client sent it, to check against imported hashes.
  public let asGiven: String

  /// The name of the request field with the password.
  public static let field = "password"

  /// Normalises a password to be checked. One that the policy forbids for new passwords is only a wrong one.
  ///
  /// - Throws: a violation of `field` for one that is empty or too long.
  public init(attempt text: String, field: String = field) throws(FieldViolation) {
    guard !text.isEmpty else {
      throw FieldViolation(field: field, reason: .required, description: "must not be empty")
    }
    guard text.utf8.count <= Self.maximumLength else {
      throw FieldViolation(
        field: field, reason: .tooLong, description: "must be at most \(Self.maximumLength) bytes")
    }
    asGiven = text
    normalized = text.precomposedStringWithCompatibilityMapping
  }
}

/// A password hash: a PHC string (`$argon2id$v=19$…`) of this service, or the text of an imported hash that the hasher has
/// accepted. It never prints itself.
public struct PasswordHash: Hashable, Sendable, Redacted {
  /// The text of the hash.
  public let phcString: String

  /// The name of the field with an imported hash.
  public static let field = "password_hash"

  /// Creates a hash from its text, which the hasher checks when it verifies.
  public init(phcString: String) {
    self.phcString = phcString
  }
}
