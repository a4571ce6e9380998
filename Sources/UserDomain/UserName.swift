/// A person's name: any Unicode except control characters and line separators, possibly empty.
public struct UserName: Hashable, Sendable {
  /// The maximum length of a name in Unicode scalars. It also bounds the bytes (1,024), which a limit in grapheme
  /// clusters would not.
  public static let maximumLength = 256

  /// The name as given.
  public let text: String

  /// Checks `text`.
  ///
  /// - Throws: a violation of the field `name`.
  public init(_ text: String) throws(FieldViolation) {
    if !Self.isShortVisibleASCII(text) { try Self.check(text) }
    self.text = text
  }

  /// Returns whether the bytes alone show that ``check(_:)`` has nothing to find, as those of most names do.
  static func isShortVisibleASCII(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { bytes in
      bytes.count <= maximumLength && bytes.allSatisfy { byte in 0x20...0x7e ~= byte }
    }
  }

  /// - Throws: a violation of the field `name`.
  static func check(_ text: String) throws(FieldViolation) {
    // A scalar takes at most four bytes, so a longer text is refused without being walked.
    guard text.utf8.count <= maximumLength * 4, text.unicodeScalars.count <= maximumLength else {
      throw FieldViolation(
        field: "name", reason: .tooLong, description: "must be at most \(maximumLength) characters")
    }
    guard !text.unicodeScalars.contains(where: isForbidden) else {
      throw FieldViolation(
        field: "name", reason: .forbiddenCharacter,
        description: "must not contain control characters or line separators")
    }
  }

  /// Creates a name that was validated before, such as one read from the store.
  public init(trusted text: String) {
    self.text = text
  }

  /// Returns whether `scalar` is a control character or a line separator.
  static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    // C0, DEL, C1 (category Cc), LINE SEPARATOR, PARAGRAPH SEPARATOR.
    case 0x00...0x1f, 0x7f...0x9f, 0x2028, 0x2029: true
    default: false
    }
  }
}

extension UserName: CustomStringConvertible {
  /// The name.
  public var description: String { text }
}
