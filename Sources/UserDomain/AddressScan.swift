/// The properties of an address that its bytes show, before its non-ASCII characters are checked.
struct AddressScan {
  /// The reason why an address is invalid.
  struct Fault: Error {
    let reason: FieldViolation.Reason
    /// The predicate of a sentence whose subject is the field.
    let description: String

    init(_ reason: FieldViolation.Reason, _ description: String) {
      self.reason = reason
      self.description = description
    }

    init(_ fault: DomainName.Fault) {
      self.init(.malformed, fault.description)
    }
  }

  /// Whether no byte is 0x80 or more.
  private(set) var isASCII = true
  /// Whether a label of the domain has non-ASCII letters or begins with `xn--`.
  private(set) var needsIDNA = false

  private init() {}

  /// Scans the bytes of a trimmed address. Bytes from 0x80 up count as letters.
  static func scan(_ bytes: UnsafeBufferPointer<UInt8>) -> Result<AddressScan, Fault> {
    Result { () throws(Fault) in
      if bytes.isEmpty { throw Fault(.required, "must not be empty") }
      if bytes.count > EmailAddress.maximumLength {
        throw Fault(.tooLong, "must be at most \(EmailAddress.maximumLength) bytes")
      }
      guard let at = bytes.lastIndex(of: UInt8(ascii: "@")) else {
        throw Fault(.malformed, "must have the form local-part@domain")
      }
      if at > EmailAddress.maximumLocalPartLength {
        throw Fault(.tooLong, "must have at most \(EmailAddress.maximumLocalPartLength) bytes before the @")
      }
      var scan = AddressScan()
      try scan.takeLocalPart(bytes[..<at])
      try scan.takeDomain(bytes[(at + 1)...])
      return scan
    }
  }

  /// Takes an RFC 5321 `Dot-string`. Bytes from 0x80 up belong to non-ASCII letters (RFC 6531 §3.3).
  private mutating func takeLocalPart(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) throws(Fault) {
    var previous = UInt8(ascii: ".")
    var union: UInt8 = 0
    for byte in bytes {
      guard byte == UInt8(ascii: ".") ? previous != byte : Self.isAtomText(byte) else {
        throw Self.localPartFault
      }
      previous = byte
      union |= byte
    }
    if previous == UInt8(ascii: ".") { throw Self.localPartFault }
    if union >= 0x80 { isASCII = false }
  }

  private static let localPartFault = Fault(
    .malformed, "must have only letters, digits, single dots or !#$%&'*+-/=?^_`{|}~ before the @")

  /// Takes labels of letters, digits and inner hyphens, at most 63 bytes if ASCII (RFC 1035 §2.3.1, RFC 1123 §2.1).
  private mutating func takeDomain(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) throws(Fault) {
    guard let first = bytes.first else { throw Fault(.malformed, "must have a domain name after the @") }
    if first == UInt8(ascii: "[") {
      throw Fault(.malformed, "must have a domain name after the @, not an address in brackets")
    }
    var start = bytes.startIndex
    var union: UInt8 = 0
    // Not `indices`, whose type the compiler does not specialise away.
    for index in bytes.startIndex..<bytes.endIndex {
      let byte = bytes[index]
      if byte == UInt8(ascii: ".") {
        try takeLabel(bytes[start..<index], union)
        start = index + 1
        union = 0
      } else if Self.isLetterOrDigit(byte) || byte == UInt8(ascii: "-") {
        union |= byte
      } else {
        throw Fault(DomainName.Fault.disallowed(Unicode.Scalar(byte)))
      }
    }
    try takeLabel(bytes[start...], union)
  }

  private mutating func takeLabel(
    _ label: Slice<UnsafeBufferPointer<UInt8>>, _ union: UInt8
  ) throws(Fault) {
    let hyphen = UInt8(ascii: "-")
    guard let first = label.first, let last = label.last else { throw Fault(.emptyLabel) }
    if first == hyphen || last == hyphen { throw Fault(.hyphenAtEdge) }
    if union >= 0x80 {
      // The length limit applies to the A-label, which is not known yet.
      (isASCII, needsIDNA) = (false, true)
    } else if label.count > DomainName.maximumLabelLength {
      throw Fault(.labelTooLong)
    } else if label.count >= 4, label[label.startIndex + 2] == hyphen, label[label.startIndex + 3] == hyphen,
      first | 0x20 == UInt8(ascii: "x"), label[label.startIndex + 1] | 0x20 == UInt8(ascii: "n")
    {
      needsIDNA = true
    }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x80...: true
    default: false
    }
  }

  /// Returns whether `byte` is RFC 5322 §3.2.3 `atext`.
  private static func isAtomText(_ byte: UInt8) -> Bool {
    if isLetterOrDigit(byte) { return true }
    switch byte {
    // ! # $ % & ' * + - / = ? ^ _ ` { | } ~
    case 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2f, 0x3d, 0x3f, 0x5e...0x60, 0x7b...0x7e: return true
    default: return false
    }
  }
}
