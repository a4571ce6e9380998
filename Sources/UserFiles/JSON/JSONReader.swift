import Primitives

/// Reads one JSON text (RFC 8259) from bytes, strictly and in one pass.
///
/// Foundation's decoder is not used for rows of users: it costs about 20 µs a row. The caller keeps the bytes valid while it
/// uses the reader.
struct JSONReader {
  /// The reason why a text cannot be read.
  enum Fault: Error, Hashable {
    /// The text is not JSON in UTF-8.
    case malformed
    /// The text is nested deeper than ``JSONReader/deepest``.
    case tooDeep
  }

  /// The maximum number of nested levels.
  static let deepest = 64

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0
  private var depth = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
  }

  /// The first byte of the next value, name or punctuation; nil at the end.
  var next: UInt8? {
    mutating get {
      while position < bytes.count {
        switch bytes[position] {
        case 0x20, 0x09, 0x0A, 0x0D: position += 1
        case let byte: return byte
        }
      }
      return nil
    }
  }

  /// Checks that nothing follows the value.
  mutating func end() throws(Fault) {
    if next != nil { throw .malformed }
  }

  /// Begins an object. The caller then calls ``nextName(_:)`` until it returns nil.
  mutating func beginObject() throws(Fault) {
    try take(UInt8(ascii: "{"))
    try descend()
  }

  /// Returns the name of the object's next member, at whose value the reader then is, or nil after the last one.
  ///
  /// - Parameter isFirst: true before the object's first member; the reader changes it.
  mutating func nextName(_ isFirst: inout Bool) throws(Fault) -> String? {
    guard try hasNext(&isFirst, until: UInt8(ascii: "}")) else { return nil }
    let name = try string()
    try take(UInt8(ascii: ":"))
    return name
  }

  /// Reads a value of any kind.
  mutating func value() throws(Fault) -> JSONValue {
    switch next {
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "{"): return .object(try object())
    case UInt8(ascii: "["): return .array(try array())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return .number(try number())
    }
  }

  private mutating func object() throws(Fault) -> [(name: String, value: JSONValue)] {
    var members: [(name: String, value: JSONValue)] = []
    var isFirst = true
    try beginObject()
    while let name = try nextName(&isFirst) { members.append((name, try value())) }
    return members
  }

  private mutating func array() throws(Fault) -> [JSONValue] {
    var elements: [JSONValue] = []
    var isFirst = true
    try take(UInt8(ascii: "["))
    try descend()
    while try hasNext(&isFirst, until: UInt8(ascii: "]")) { elements.append(try value()) }
    return elements
  }

  private mutating func descend() throws(Fault) {
    depth += 1
    if depth > Self.deepest { throw .tooDeep }
  }

  /// Takes the comma before another member or element, or the bracket after the last one.
  private mutating func hasNext(_ isFirst: inout Bool, until bracket: UInt8) throws(Fault) -> Bool {
    if next == bracket {
      position += 1
      depth -= 1
      return false
    }
    if !isFirst { try take(UInt8(ascii: ",")) }
    isFirst = false
    return true
  }

  private mutating func take(_ byte: UInt8) throws(Fault) {
    guard next == byte else { throw .malformed }
    position += 1
  }

  /// Reads a string.
  mutating func string() throws(Fault) -> String {
    try take(UInt8(ascii: "\""))
    let start = position
    var union: UInt8 = 0
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        let text = UnsafeBufferPointer(rebasing: bytes[start..<position])
        position += 1
        if union < 0x80 { return String(decoding: text, as: UTF8.self) }
        guard let text = String(validating: text, as: UTF8.self) else { throw .malformed }
        return text
      case UInt8(ascii: "\\"): return try escapedString(from: start)
      case 0..<0x20: throw .malformed
      default:
        union |= byte
        position += 1
      }
    }
    throw .malformed
  }

  /// Reads the rest of a string that has an escape, and begins at `start`.
  private mutating func escapedString(from start: Int) throws(Fault) -> String {
    var text = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: text, as: UTF8.self) else { throw .malformed }
        return text
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0..<0x20: throw .malformed
      default: text.append(byte)
      }
    }
    throw .malformed
  }

  private mutating func escape(into text: inout [UInt8]) throws(Fault) {
    guard position < bytes.count else { throw .malformed }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"): text += String(try unicodeEscape()).utf8
    default: throw .malformed
    }
  }

  /// Reads the digits of an escape, and the second half of a surrogate pair. A lone half is not a character.
  private mutating func unicodeEscape() throws(Fault) -> Unicode.Scalar {
    var code = try fourDigits()
    if (0xD800..<0xDC00).contains(code) {
      guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
        bytes[position + 1] == UInt8(ascii: "u")
      else { throw .malformed }
      position += 2
      let low = try fourDigits()
      guard (0xDC00..<0xE000).contains(low) else { throw .malformed }
      code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw .malformed }
    return scalar
  }

  private mutating func fourDigits() throws(Fault) -> UInt32 {
    guard position + 4 <= bytes.count else { throw .malformed }
    var code: UInt32 = 0
    for byte in bytes[position..<position + 4] {
      guard let digit = Hexadecimal.value(of: byte) else { throw .malformed }
      code = code << 4 + UInt32(digit)
    }
    position += 4
    return code
  }

  private mutating func word(_ word: StaticString, _ value: JSONValue) throws(Fault) -> JSONValue {
    let letters = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    guard bytes[position...].starts(with: letters) else { throw .malformed }
    position += letters.count
    return value
  }

  /// Reads a number, and returns its text.
  private mutating func number() throws(Fault) -> String {
    let start = position
    if has(UInt8(ascii: "-")) { position += 1 }
    if has(UInt8(ascii: "0")) { position += 1 } else { try digits() }
    if has(UInt8(ascii: ".")) {
      position += 1
      try digits()
    }
    if has(UInt8(ascii: "e")) || has(UInt8(ascii: "E")) {
      position += 1
      if has(UInt8(ascii: "+")) || has(UInt8(ascii: "-")) { position += 1 }
      try digits()
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private func has(_ byte: UInt8) -> Bool { position < bytes.count && bytes[position] == byte }

  private mutating func digits() throws(Fault) {
    let start = position
    while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
    if position == start { throw .malformed }
  }
}
