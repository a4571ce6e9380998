import Primitives

/// A checker of the JSON grammar (RFC 8259) that also refuses duplicate member names: parsers differ in which of them
/// they use. A value without recursion beyond ``deepest``.
struct StrictJSON {
  /// The reason why a text is refused.
  enum Fault: Error, Hashable {
    /// The text is not JSON in UTF-8, or nested deeper than ``deepest``.
    case malformed
    /// An object has this member twice. Names are compared after resolving escapes.
    case duplicate(String)
  }

  /// The maximum number of nested levels.
  static let deepest = 64

  private let text: [UInt8]
  private var position = 0
  private var depth = 0

  /// Checks that `text` is one JSON value, and that no object in it has duplicate names.
  ///
  /// - Throws: `Fault`.
  static func check(_ text: some Sequence<UInt8>) throws(Fault) {
    let text = Array(text)
    // Names taken below are then valid too: a name ends at an ASCII quotation mark.
    guard String(validating: text, as: UTF8.self) != nil else { throw .malformed }
    var parser = StrictJSON(text: text)
    parser.skipSpace()
    try parser.value()
    parser.skipSpace()
    guard parser.next == nil else { throw .malformed }
  }

  private init(text: [UInt8]) {
    self.text = text
  }

  private var next: UInt8? { position < text.count ? text[position] : nil }

  private mutating func value() throws(Fault) {
    switch next {
    case UInt8(ascii: "{"): try nested { (parser) throws(Fault) in try parser.object() }
    case UInt8(ascii: "["): try nested { (parser) throws(Fault) in try parser.array() }
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "t"): try word("true")
    case UInt8(ascii: "f"): try word("false")
    case UInt8(ascii: "n"): try word("null")
    default: try number()
    }
  }

  private mutating func nested(_ body: (inout StrictJSON) throws(Fault) -> Void) throws(Fault) {
    guard depth < Self.deepest else { throw .malformed }
    depth += 1
    try body(&self)
    depth -= 1
  }

  private mutating func object() throws(Fault) {
    var names = Set<[UInt8]>()
    try list(from: "{", to: "}") { (parser) throws(Fault) in
      guard parser.next == UInt8(ascii: "\"") else { throw .malformed }
      let name = try parser.string()
      guard names.insert(name).inserted else { throw .duplicate(String(decoding: name, as: UTF8.self)) }
      parser.skipSpace()
      try parser.take(":")
      parser.skipSpace()
      try parser.value()
    }
  }

  private mutating func array() throws(Fault) {
    try list(from: "[", to: "]") { (parser) throws(Fault) in try parser.value() }
  }

  private mutating func list(
    from first: Unicode.Scalar, to last: Unicode.Scalar, _ element: (inout StrictJSON) throws(Fault) -> Void
  ) throws(Fault) {
    try take(first)
    skipSpace()
    if next == UInt8(ascii: last) {
      position += 1
      return
    }
    while true {
      try element(&self)
      skipSpace()
      guard next == UInt8(ascii: ",") else { return try take(last) }
      position += 1
      skipSpace()
    }
  }

  /// Takes a string, and returns it in UTF-8 with its escapes resolved.
  private mutating func string() throws(Fault) -> [UInt8] {
    try take("\"")
    var result: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return result
      case UInt8(ascii: "\\"): result += try escape()
      case 0..<0x20: throw .malformed
      default: result.append(byte)
      }
    }
    throw .malformed
  }

  private mutating func escape() throws(Fault) -> [UInt8] {
    guard let byte = next else { throw .malformed }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0c]
    case UInt8(ascii: "n"): return [0x0a]
    case UInt8(ascii: "r"): return [0x0d]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return try unicodeEscape()
    default: throw .malformed
    }
  }

  /// Takes the digits of an escape, and of the second half of a surrogate pair. A lone half is refused.
  private mutating func unicodeEscape() throws(Fault) -> [UInt8] {
    var code = try fourDigits()
    if (0xd800..<0xdc00).contains(code) {
      try take("\\")
      try take("u")
      let low = try fourDigits()
      guard (0xdc00..<0xe000).contains(low) else { throw .malformed }
      code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw .malformed }
    return Array(String(scalar).utf8)
  }

  private mutating func fourDigits() throws(Fault) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = next.flatMap({ Hexadecimal.value(of: $0) }) else { throw .malformed }
      code = code << 4 + UInt32(digit)
      position += 1
    }
    return code
  }

  private mutating func number() throws(Fault) {
    if next == UInt8(ascii: "-") { position += 1 }
    if next == UInt8(ascii: "0") {
      position += 1
    } else {
      try digits()
    }
    if next == UInt8(ascii: ".") {
      position += 1
      try digits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      try digits()
    }
  }

  private mutating func digits() throws(Fault) {
    let start = position
    while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
    guard position > start else { throw .malformed }
  }

  private mutating func word(_ word: StaticString) throws(Fault) {
    let bytes = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    guard text[position...].starts(with: bytes) else { throw .malformed }
    position += bytes.count
  }

  private mutating func take(_ scalar: Unicode.Scalar) throws(Fault) {
    guard next == UInt8(ascii: scalar) else { throw .malformed }
    position += 1
  }

  private mutating func skipSpace() {
    while let byte = next, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { position += 1 }
  }
}
