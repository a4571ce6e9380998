import Foundation

/// What a new password has to be (NIST SP 800-63B-4 §3.1.1.2): long enough, and none of those that are tried first. There
/// are no rules about which characters it is made of. Passwords that are stored already are not looked at.
public struct PasswordPolicy: Hashable, Sendable {
  /// The bounds of ``minimumLength``.
  public static let minimumLengthBounds = 6...64

  /// The shortest password, in Unicode scalars after normalisation to NFKC; 8 by default.
  public let minimumLength: Int
  /// Names of the service, which no password may be.
  public let serviceNames: [String]

  /// A policy; `minimumLength` is brought inside ``minimumLengthBounds``.
  public init(minimumLength: Int = 8, serviceNames: [String] = ["user-service"]) {
    let bounds = Self.minimumLengthBounds
    self.minimumLength = min(max(minimumLength, bounds.lowerBound), bounds.upperBound)
    self.serviceNames = serviceNames
  }

  /// Checks a new password.
  ///
  /// - Parameters:
  ///   - email: the address of its user, or nil if it is not known or invalid.
  ///   - name: the name of its user, likewise.
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
        description: "is among the commonest passwords, which are guessed first")
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
          "must not be made of the user's address or name, or the name of the service, with digits or signs alone"
      )
    }
  }

  /// A password as one sees it who guesses from what is known of its user.
  private struct Guess {
    private let folded: String
    private let core: String

    init(_ password: String) {
      folded = Self.folded(password)
      core = Self.core(of: folded)
    }

    /// Whether the password is `word`, whatever the letter case, also with digits and signs around it or signs
    /// between its parts.
    func derives(from word: String) -> Bool {
      let folded = Self.folded(word)
      if folded.isEmpty { return false }
      if folded == self.folded { return true }
      let core = Self.core(of: folded)
      // Fewer letters say nothing: with enough around them they are a password like any other.
      return core.count >= 3 && core == self.core
    }

    private static func folded(_ text: String) -> String {
      text.precomposedStringWithCompatibilityMapping.lowercased()
    }

    /// The letters and digits from the first letter to the last.
    private static func core(of text: String) -> String {
      guard let first = text.firstIndex(where: \.isLetter), let last = text.lastIndex(where: \.isLetter)
      else {
        return ""
      }
      return text[first...last].filter { $0.isLetter || $0.isNumber }
    }
  }
}
