import Foundation

/// An e-mail address: a dot-atom local part, `@`, and a domain name (RFC 5321 §4.1.2, RFC 6531 for non-ASCII, IDNA
/// 2008 for the domain).
///
/// Surrounding white space is removed; the rest is kept as given. Quoted local parts and address literals
/// (`user@[192.0.2.1]`) are refused although RFC 5321 has them: no mailbox for signing up needs them.
public struct EmailAddress: Hashable, Sendable {
  /// The maximum length of the local part in bytes of UTF-8 (RFC 5321 §4.5.3.1.1).
  public static let maximumLocalPartLength = 64
  /// The maximum length of an address in bytes of UTF-8 (RFC 5321 §4.5.3.1.3, less the angle brackets). It also applies
  /// with A-labels in the domain, as mail servers without SMTPUTF8 see it.
  public static let maximumLength = 254

  /// The address as given, trimmed.
  public let address: String

  /// Parses `text`.
  ///
  /// - Throws: a violation of the field `email`.
  public init(_ text: String) throws(FieldViolation) {
    let needsIDNA: Bool
    (address, needsIDNA) = try Self.parse(text)
    if needsIDNA { try Self.checkDomain(of: address) }
  }

  /// Parses `text` as the address of an account that may exist. A domain that IDNA 2008 forbids, but earlier versions
  /// accepted, is accepted.
  ///
  /// - Throws: a violation of the field `email`.
  public init(ofAccount text: String) throws(FieldViolation) {
    (address, _) = try Self.parse(text)
  }

  /// Creates an address that was validated before, such as one read from the store.
  public init(trusted address: String) {
    self.address = address
  }

  /// Checks everything except the rules of IDNA 2008. Returns the trimmed address and whether those rules apply.
  private static func parse(_ text: String) throws(FieldViolation) -> (address: String, needsIDNA: Bool) {
    var trimmed = trim(text)
    switch trimmed.withUTF8(AddressScan.scan) {
    case .failure(let fault):
      throw FieldViolation(field: "email", reason: fault.reason, description: fault.description)
    case .success(let scan):
      if !scan.isASCII, trimmed.unicodeScalars.contains(where: isForbidden) {
        throw FieldViolation(
          field: "email", reason: .forbiddenCharacter,
          description: "must not contain spaces, control characters or invisible characters")
      }
      return (trimmed, scan.needsIDNA)
    }
  }

  private static func checkDomain(of address: String) throws(FieldViolation) {
    guard let (localPart, domain) = split(address) else { return }
    let aLabels: String
    do throws(DomainName.Fault) {
      aLabels = try DomainName.aLabels(domain)
    } catch {
      throw FieldViolation(field: "email", reason: .malformed, description: error.description)
    }
    if localPart.utf8.count + 1 + aLabels.utf8.count > maximumLength {
      throw FieldViolation(
        field: "email", reason: .tooLong,
        description: "must be at most \(maximumLength) bytes with the A-labels of its domain")
    }
  }

  /// Splits an address at its `@`, as a scalar: a combining mark after it belongs to the domain.
  static func split(_ address: String) -> (localPart: Substring, domain: Substring)? {
    let scalars = address.unicodeScalars
    guard let at = scalars.lastIndex(of: "@") else { return nil }
    return (Substring(scalars[..<at]), Substring(scalars[scalars.index(after: at)...]))
  }

  private static func trim(_ text: String) -> String {
    let visible: ClosedRange<UInt8> = 0x21...0x7e
    if let first = text.utf8.first, let last = text.utf8.last, visible.contains(first), visible.contains(last)
    {
      return text
    }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
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
