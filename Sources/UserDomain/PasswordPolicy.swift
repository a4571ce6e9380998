import Foundation

/// The rules for new passwords (NIST SP 800-63B-4 §3.1.1.2): long enough, and not among those that attackers try first.
/// No kinds of characters are required. Stored passwords are not checked.
public struct PasswordPolicy: Hashable, Sendable {
  /// The bounds of ``minimumLength``.
  public static let minimumLengthBounds = 6...64

  /// The minimum length of a password, in Unicode scalars after normalisation to NFKC; 8 by default.
  public let minimumLength: Int
  /// The names of the service, which a password must not be.
  public let serviceNames: [String]

  /// Creates a policy; `minimumLength` is clamped to ``minimumLengthBounds``.
  public init(minimumLength: Int = 8, serviceNames: [String] = ["user-service"]) {
    let bounds = Self.minimumLengthBounds
    self.minimumLength = min(max(minimumLength, bounds.lowerBound), bounds.upperBound)
    self.serviceNames = serviceNames
  }

  /// Checks a new password.
  ///
  /// - Parameters:
  ///   - email: the address of its user, or nil if unknown or invalid.
  ///   - name: the name of its user, or nil if unknown or invalid.
  /// - Throws: a violation of the field `password`.
  public func check(
    _ text: String, email: EmailAddress?, name: UserName?
  ) throws(FieldViolation) -> Password {
    let password = try Password(attempt: text)
    let scalars = password.normalized.unicodeScalars
    guard !scalars.contains(where: UserName.isForbidden) else {
      throw FieldViolation(
        field: Password.field, reason: .forbiddenCharacter,
        description: "must not contain control characters or line separators")
    }
    guard scalars.count >= minimumLength else {
      throw FieldViolation(
        field: Password.field, reason: .tooShort,
        description: "must be empty or at least \(minimumLength) characters")
    }
    guard !CommonPasswords.contains(password.normalized) else {
      throw FieldViolation(
        field: Password.field, reason: .tooCommon,
        description: "is one of the most common passwords, which are guessed first")
    }
    try check(password, email: email, name: name)
    return password
  }

  /// Checks a valid password against the address and the name of its user.
  ///
  /// - Throws: a violation of the field `password`.
  public func check(_ password: Password, email: EmailAddress?, name: UserName?) throws(FieldViolation) {
    let address = email?.address ?? ""
    let localPart = String(address.prefix { $0 != "@" })
    let guess = Guess(password.normalized)
    for word in [address, localPart, name?.text ?? ""] + serviceNames where guess.derives(from: word) {
      throw FieldViolation(
        field: Password.field, reason: .tooSimilar,
        description:
          "must not be only the user's address or name, or the name of the service, with digits or signs added"
      )
    }
  }

  /// A password as guessed from what is known about its user.
  private struct Guess {
    private let folded: String
    private let core: String

    init(_ password: String) {
      folded = Self.folded(password)
      core = Self.core(of: folded)
    }

    /// Returns whether the password is `word` in any letter case, possibly with digits and signs around it, or signs
    /// between its parts.
    func derives(from word: String) -> Bool {
      let folded = Self.folded(word)
      if folded.isEmpty { return false }
      if folded == self.folded { return true }
      let core = Self.core(of: folded)
      // Fewer than three letters say nothing: with enough around them the password is like any other.
      return core.count >= 3 && core == self.core
    }

    private static func folded(_ text: String) -> String {
      text.precomposedStringWithCompatibilityMapping.lowercased()
    }

    /// Returns the letters and digits from the first letter to the last.
    private static func core(of text: String) -> String {
      guard let first = text.firstIndex(where: \.isLetter), let last = text.lastIndex(where: \.isLetter)
      else {
        return ""
      }
      return text[first...last].filter { $0.isLetter || $0.isNumber }
    }
  }
}
