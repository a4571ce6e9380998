import Foundation

/// A password in the clear, on its way to the hasher and nowhere else.
///
/// Any Unicode, normalised to NFKC so that the same password typed on another keyboard matches
/// (NIST SP 800-63B-4 §3.1.1.2); never truncated; no composition rules. It does not print itself.
public struct Password: Sendable {
  /// The shortest password, in bytes of UTF-8, as given and after normalisation.
  public static let minimumLength = 8
  /// The longest password, in bytes of UTF-8 as given.
  public static let maximumLength = 1_024

  /// The NFKC form, whose UTF-8 is what is hashed.
  public let normalized: String

  /// Checks and normalises a new password.
  ///
  /// - Throws: a violation of the field `password`.
  public init(_ text: String) throws(FieldViolation) {
    try self.init(attempt: text)
    guard min(text.utf8.count, normalized.utf8.count) >= Self.minimumLength else {
      throw FieldViolation(
        field: "password", reason: .tooShort,
        description: "must be empty or at least \(Self.minimumLength) bytes")
    }
  }

  /// Normalises a password that somebody signs in with. One that is shorter than a new one may be is only a
  /// wrong one.
  ///
  /// - Throws: a violation of the field `password` for one that is empty or too long.
  public init(attempt text: String) throws(FieldViolation) {
    guard !text.isEmpty else {
      throw FieldViolation(field: "password", reason: .required, description: "must not be empty")
    }
    guard text.utf8.count <= Self.maximumLength else {
      throw FieldViolation(
        field: "password", reason: .tooLong, description: "must be at most \(Self.maximumLength) bytes")
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
