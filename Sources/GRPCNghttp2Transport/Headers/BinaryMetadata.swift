import FoundationEssentials

/// Values of metadata whose names end in `-bin`: base64, with or without padding; several may be joined by commas.
/// Sent values are not padded (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
enum BinaryMetadata {
  /// Decodes the values of a header field, or returns nil if it is malformed.
  static func decode(_ field: UnsafeBufferPointer<UInt8>) -> [[UInt8]]? {
    var values: [[UInt8]] = []
    for part in field.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      guard let value = decode(part) else { return nil }
      values.append(value)
    }
    return values
  }

  private static func decode(_ part: Slice<UnsafeBufferPointer<UInt8>>) -> [UInt8]? {
    var text = Array(part.drop { $0 == 0x20 })
    while text.last == 0x20 { text.removeLast() }
    let digits = text.prefix { $0 != UInt8(ascii: "=") }
    // Padding must be complete or absent; Foundation accepts other forms.
    guard text[digits.count...].allSatisfy({ $0 == UInt8(ascii: "=") }),
      digits.count == text.count || (text.count % 4 == 0 && text.count - digits.count <= 2)
    else { return nil }
    let padding = repeatElement(UInt8(ascii: "="), count: (4 - digits.count % 4) % 4)
    return Data(base64Encoded: Data(digits + padding)).map { Array($0) }
  }

  static func encode(_ value: [UInt8], into output: inout [UInt8]) {
    output += Data(value).base64EncodedData().prefix { $0 != UInt8(ascii: "=") }
  }
}
