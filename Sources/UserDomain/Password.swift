import Foundation

/// A password in the clear, on its way to the hasher and nowhere else.
///
/// Any Unicode, normalised to NFKC so that the same password typed on another keyboard matches
/// (NIST SP 800-63B-4 §3.1.1.2); never truncated. ``PasswordPolicy`` says what a new one has to be. It does not print
/// itself.
public struct Password: Sendable {
  /// The longest password, in bytes of UTF-8 as given.
  public static let maximumLength = 1_024

  /// The NFKC form, whose UTF-8 is what is hashed.
  public let normalized: String

  /// The field of requests that a password is in.
  public static let field = "password"

  /// Normalises a password that a user is to be recognised by. One that a new password may not be is only a wrong one.
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
    normalized = text.precomposedStringWithCompatibilityMapping
  }
}

extension Password: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// A placeholder: a password is never printed.
  public var description: String { "<password>" }
  /// A placeholder: a password is never printed.
  public var debugDescription: String { description }
  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A password hash in the PHC string format (`$argon2id$v=19$…`). It does not print itself.
public struct PasswordHash: Hashable, Sendable {
  /// The PHC string.
  public let phcString: String

  /// The hash with that PHC string, which the hasher checks when it verifies.
  public init(phcString: String) {
    self.phcString = phcString
  }
}

extension PasswordHash: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// A placeholder: a hash is never printed.
  public var description: String { "<password hash>" }
  /// A placeholder: a hash is never printed.
  public var debugDescription: String { description }
  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
