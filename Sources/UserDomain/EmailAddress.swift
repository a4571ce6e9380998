import Foundation

/// An e-mail address: a dot-atom local part, `@`, and a domain name (RFC 5321 §4.1.2, RFC 6531 for
/// non-ASCII).
///
/// Surrounding white space is removed; the rest is kept as given. Refused although RFC 5321 has them, because
/// no mailbox people sign up with needs them: quoted local parts and address literals (`user@[192.0.2.1]`).
public struct EmailAddress: Hashable, Sendable {
  /// RFC 5321 §4.5.3.1.1, in bytes of UTF-8.
  public static let maximumLocalPartLength = 64
  /// RFC 5321 §4.5.3.1.3 less the angle brackets, in bytes of UTF-8.
  public static let maximumLength = 254

  /// The address as given, trimmed.
  public let address: String

  /// Parses `text`.
  ///
  /// - Throws: a violation of the field `email`.
  public init(_ text: String) throws(FieldViolation) {
    var trimmed = Self.trim(text)
    if let (reason, description) = trimmed.withUTF8(Self.firstFault) {
      throw FieldViolation(field: "email", reason: reason, description: description)
    }
    if trimmed.utf8.contains(where: { $0 >= 0x80 }), trimmed.unicodeScalars.contains(where: Self.isForbidden)
    {
      throw FieldViolation(
        field: "email", reason: .forbiddenCharacter,
        description: "must not contain spaces, control characters or invisible characters")
    }
    address = trimmed
  }

  /// An address that was validated before, such as one read back from the store.
  public init(trusted address: String) {
    self.address = address
  }

  /// What two addresses have in common when they differ in letter case only.
  ///
  /// ASCII is lower-cased. Anything else goes through lower, upper and lower case, so that `ẞ` meets `ß` and
  /// `SS`, and `ς` meets `σ`, and then through canonical composition (NFC), so that the two ways to write `é`
  /// are one.
  public var uniquenessKey: String {
    if address.utf8.allSatisfy({ $0 < 0x80 && !(0x41...0x5a).contains($0) }) { return address }
    if address.utf8.allSatisfy({ $0 < 0x80 }) { return address.lowercased() }
    return address.lowercased().uppercased().lowercased().precomposedStringWithCanonicalMapping
  }

  private static func trim(_ text: String) -> String {
    let visible: ClosedRange<UInt8> = 0x21...0x7e
    if let first = text.utf8.first, let last = text.utf8.last, visible.contains(first), visible.contains(last)
    {
      return text
    }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private typealias Fault = (FieldViolation.Reason, String)

  private static func firstFault(_ bytes: UnsafeBufferPointer<UInt8>) -> Fault? {
    if bytes.isEmpty { return (.required, "must not be empty") }
    if bytes.count > maximumLength { return (.tooLong, "must be at most \(maximumLength) bytes") }
    guard let at = bytes.lastIndex(of: UInt8(ascii: "@")) else {
      return (.malformed, "must have the form local-part@domain")
    }
    if at > maximumLocalPartLength {
      return (.tooLong, "must have at most \(maximumLocalPartLength) bytes before the @")
    }
    guard isDotAtom(bytes[..<at]) else {
      return (.malformed, "must have letters, digits, single dots or !#$%&'*+-/=?^_`{|}~ before the @")
    }
    guard isDomain(bytes[(at + 1)...]) else {
      return (.malformed, "must have a domain name after the @")
    }
    return nil
  }

  /// RFC 5321 `Dot-string`; bytes from 0x80 up belong to non-ASCII letters (RFC 6531 §3.3).
  private static func isDotAtom(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
    var previous = UInt8(ascii: ".")
    for byte in bytes {
      if byte == UInt8(ascii: ".") {
        if previous == byte { return false }
      } else if !isAtomText(byte) {
        return false
      }
      previous = byte
    }
    return previous != UInt8(ascii: ".")
  }

  /// Labels of 1 to 63 letters, digits and inner hyphens (RFC 1035 §2.3.1, RFC 1123 §2.1).
  private static func isDomain(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
    let hyphen = UInt8(ascii: "-")
    var labelLength = 0
    var previous = hyphen
    for byte in bytes {
      if byte == UInt8(ascii: ".") {
        if labelLength == 0 || previous == hyphen { return false }
        labelLength = 0
      } else {
        guard isLetterOrDigit(byte) || (byte == hyphen && labelLength > 0), labelLength < 63 else {
          return false
        }
        labelLength += 1
      }
      previous = byte
    }
    return labelLength > 0 && previous != hyphen
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x80...: true
    default: false
    }
  }

  /// RFC 5322 §3.2.3 `atext`.
  private static func isAtomText(_ byte: UInt8) -> Bool {
    if isLetterOrDigit(byte) { return true }
    switch byte {
    // ! # $ % & ' * + - / = ? ^ _ ` { | } ~
    case 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2f, 0x3d, 0x3f, 0x5e...0x60, 0x7b...0x7e: return true
    default: return false
    }
  }

  private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return false }
    if scalar.properties.isDefaultIgnorableCodePoint { return true }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .spaceSeparator, .surrogate,
      .unassigned:
      return true
    default:
      return false
    }
  }
}

extension EmailAddress: CustomStringConvertible {
  /// The address.
  public var description: String { address }
}
