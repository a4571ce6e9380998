/// The rules of HTTP/2 and gRPC for the names and values of fields (RFC 9113 §8.2, RFC 9110 §5.5,
/// github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
enum FieldRules {
  /// The result of a check.
  enum Verdict {
    case valid
    /// HTTP forbids the text, and HTTP/2 leaves the response to the server: the call ends with a status.
    case refused
    /// The text makes the request malformed, which is a stream error (RFC 9113 §8.1.1).
    case malformed
  }

  /// Checks the name of a field that is not a pseudo-header.
  static func judge(name: UnsafeBufferPointer<UInt8>) -> Verdict {
    guard !name.isEmpty else { return .malformed }
    var verdict = Verdict.valid
    for byte in name {
      switch byte {
      case 0x61...0x7a, UInt8(ascii: "-"), 0x30...0x39, UInt8(ascii: "_"), UInt8(ascii: "."): continue
      case 0x00...0x20, 0x41...0x5a, UInt8(ascii: ":"), 0x7f...0xff: return .malformed
      default: if !isTokenSymbol(byte) { verdict = .refused }
      }
    }
    return verdict
  }

  /// Checks a value whose surrounding white space has been stripped.
  static func judge(value: UnsafeBufferPointer<UInt8>) -> Verdict {
    guard hasControls(value) else { return .valid }
    var verdict = Verdict.valid
    for byte in value {
      switch byte {
      case 0x00, 0x0a, 0x0d: return .malformed
      case 0x09: continue
      case 0x01...0x1f, 0x7f: verdict = .refused
      default: continue
      }
    }
    return verdict
  }

  /// Whether HTTP/2 forbids a field of this name as connection-specific (RFC 9113 §8.2.2).
  static func isConnectionSpecific(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    switch name.first {
    case UInt8(ascii: "c"): name.equals("connection")
    case UInt8(ascii: "k"): name.equals("keep-alive")
    case UInt8(ascii: "p"): name.equals("proxy-connection")
    case UInt8(ascii: "t"): name.equals("transfer-encoding")
    case UInt8(ascii: "u"): name.equals("upgrade")
    default: false
    }
  }

  /// Whether a field of a request's trailers makes the request malformed (RFC 9113 §8.1).
  static func isForbiddenTrailer(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>)
    -> Bool
  {
    judge(name: name) == .malformed || judge(value: value) == .malformed || isConnectionSpecific(name)
  }

  /// Returns `value` without surrounding white space, which gRPC permits servers to strip.
  static func stripped(_ value: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    guard let first = value.first, let last = value.last, isSpace(first) || isSpace(last) else {
      return value
    }
    guard let start = value.firstIndex(where: { !isSpace($0) }),
      let end = value.lastIndex(where: { !isSpace($0) })
    else { return UnsafeBufferPointer(rebasing: value[value.endIndex...]) }
    return UnsafeBufferPointer(rebasing: value[start...end])
  }

  /// Whether a pseudo-header's value has neither white space nor control characters.
  static func isVisible(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
    value.allSatisfy { $0 > 0x20 && $0 != 0x7f }
  }

  /// Whether `method` is a token (RFC 9110 §9.1).
  static func isMethod(_ method: UnsafeBufferPointer<UInt8>) -> Bool {
    !method.isEmpty
      && method.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: isTokenSymbol(byte)
        }
      }
  }

  /// Whether `scheme` is a scheme (RFC 3986 §3.1).
  static func isScheme(_ scheme: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let first = scheme.first, isLetter(first) else { return false }
    return scheme.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): true
      default: isLetter(byte)
      }
    }
  }

  /// Whether `value` contains a byte below 0x20, or 0x7F. Checks eight bytes at a time, because tokens are long.
  private static func hasControls(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
    let bytes = UnsafeRawBufferPointer(value)
    var offset = 0
    while offset + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let low = (word &- 0x2020_2020_2020_2020) & ~word
      let deletes = word ^ 0x7f7f_7f7f_7f7f_7f7f
      let delete = (deletes &- 0x0101_0101_0101_0101) & ~deletes
      if (low | delete) & 0x8080_8080_8080_8080 != 0 { return true }
      offset += 8
    }
    while offset < bytes.count {
      if bytes[offset] < 0x20 || bytes[offset] == 0x7f { return true }
      offset += 1
    }
    return false
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
  }

  /// The symbols of a token other than `-`, `_` and `.` (RFC 9110 §5.6.2).
  private static func isTokenSymbol(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
      UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "^"), UInt8(ascii: "`"),
      UInt8(ascii: "|"), UInt8(ascii: "~"):
      true
    default: false
    }
  }
}
