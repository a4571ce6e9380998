import CIdn2
import Foundation
import Primitives

/// Domain names as IDNA 2008 defines them (RFC 5890 to 5893), checked by libidn2.
enum DomainName {
  /// The maximum length of a label in A-label form, in bytes (RFC 1035 §2.3.4).
  static let maximumLabelLength = 63

  /// The reason why a domain name is invalid.
  enum Fault: Error, Hashable {
    /// Two dots together, or a dot at either end.
    case emptyLabel
    /// A label begins or ends with a hyphen (RFC 1123 §2.1).
    case hyphenAtEdge
    /// A label with non-ASCII letters has hyphens in its third and fourth place (RFC 5891 §4.2.3.1).
    case misplacedHyphens
    /// A label is longer than ``maximumLabelLength`` bytes.
    case labelTooLong
    /// A character is not allowed in domain names (RFC 5892 §2); nil where libidn2 does not say which.
    case disallowed(Unicode.Scalar?)
    /// A label begins with a combining mark (RFC 5891 §4.2.3.2).
    case leadingMark
    /// A character stands beside others than its rule requires (RFC 5892 appendix A).
    case context
    /// A label mixes writing directions against RFC 5893 §2.
    case directions
    /// A label begins with `xn--` and does not decode to a label (RFC 5890 §2.3.2.1).
    case invalidALabel
  }

  /// Returns `name` in lower case, each label that has non-ASCII letters as its A-label.
  ///
  /// Upper case and decomposed letters are allowed and mapped first (RFC 5895 §2, steps 1 and 3). Other mappings are
  /// not made: U+3002 and full-width letters are refused, and `ß` stays itself.
  ///
  /// - Parameter name: labels between dots. Its ASCII labels have been checked, except those with `xn--`.
  static func aLabels(_ name: Substring) throws(Fault) -> String {
    let mapped = name.lowercased().precomposedStringWithCanonicalMapping
    var labels: [String] = []
    // Split by scalars: a combining mark after a dot must not hide the dot.
    for label in mapped.unicodeScalars.split(separator: ".", omittingEmptySubsequences: false) {
      labels.append(try aLabel(String(label)))
    }
    return labels.joined(separator: ".")
  }

  private static func aLabel(_ label: String) throws(Fault) -> String {
    if label.isEmpty { throw .emptyLabel }
    let isASCII = label.utf8.allSatisfy { $0 < 0x80 }
    if isASCII, !label.hasPrefix("xn--") { return label }
    let (code, registered) = register(label, isALabel: isASCII)
    if let registered { return registered }
    throw fault(code, in: label, isALabel: isASCII)
  }

  private static func fault(_ code: Int32, in label: String, isALabel: Bool) -> Fault {
    switch idn2_rc(code) {
    case IDN2_TOO_BIG_LABEL, IDN2_TOO_BIG_DOMAIN, IDN2_PUNYCODE_BIG_OUTPUT: return .labelTooLong
    case _ where isALabel: return .invalidALabel
    case IDN2_2HYPHEN: return .misplacedHyphens
    case IDN2_HYPHEN_STARTEND: return .hyphenAtEdge
    case IDN2_LEADING_COMBINING: return .leadingMark
    case IDN2_CONTEXTJ, IDN2_CONTEXTJ_NO_RULE, IDN2_CONTEXTO, IDN2_CONTEXTO_NO_RULE: return .context
    case IDN2_BIDI: return .directions
    default:
      return .disallowed(
        label.unicodeScalars.first { scalar in
          let alone = idn2_rc(register(String(scalar), isALabel: false).code)
          return alone == IDN2_DISALLOWED || alone == IDN2_UNASSIGNED
        })
    }
  }

  /// Applies the rules of registration, the strict ones (RFC 5891 §4), to one label. Returns libidn2's code, `IDN2_OK`
  /// or the first broken rule, and the A-label.
  private static func register(_ label: String, isALabel: Bool) -> (code: Int32, aLabel: String?) {
    var result: UnsafeMutablePointer<UInt8>?
    // Written only on success; NULL may be freed.
    defer { idn2_free(result) }
    let code = label.withCString { text in
      text.withMemoryRebound(to: UInt8.self, capacity: label.utf8.count + 1) { bytes in
        isALabel ? idn2_register_u8(nil, bytes, &result, 0) : idn2_register_u8(bytes, nil, &result, 0)
      }
    }
    guard code == IDN2_OK.rawValue, let result else { return (code, nil) }
    return (code, String(cString: result))
  }
}

extension DomainName.Fault: CustomStringConvertible {
  /// The predicate of a sentence whose subject is the field.
  var description: String {
    switch self {
    case .emptyLabel: "must not have an empty label in its domain: a dot at either end, or two dots together"
    case .hyphenAtEdge: "must not have a label in its domain that begins or ends with a hyphen"
    case .misplacedHyphens:
      "must not have hyphens in the third and fourth place of a non-ASCII label of its domain"
    case .labelTooLong:
      "must have at most \(DomainName.maximumLabelLength) bytes in each label of its domain, as an A-label"
    case .disallowed(let scalar?): "must not have \(Self.name(of: scalar)) in its domain"
    case .disallowed(nil): "must have only letters, digits, hyphens and dots in its domain"
    case .leadingMark: "must not have a label in its domain that begins with a combining mark"
    case .context:
      "must not have a character in its domain where IDNA 2008 does not allow it (RFC 5892, appendix A)"
    case .directions: "must not mix left-to-right and right-to-left letters in a label of its domain"
    case .invalidALabel: "must not have a label in its domain that begins with xn-- and is not an A-label"
    }
  }

  private static func name(of scalar: Unicode.Scalar) -> String {
    if scalar.isASCII, scalar.properties.generalCategory != .control { return "'\(scalar)'" }
    return scalar.codePoint
  }
}
