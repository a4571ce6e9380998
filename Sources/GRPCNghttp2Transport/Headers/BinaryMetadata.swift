import FoundationEssentials

/// Values of metadata whose names end in `-bin`: base64, padded or not; several may be joined by commas. Those that we
/// send are not padded (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
enum BinaryMetadata {
  /// The values in a header field, or nil if it is malformed.
  static func decode(_ field: UnsafeBufferPointer<UInt8>) -> [[UInt8]]? {
    var values: [[UInt8]] = []
    for part in field.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      var text = Array(part.drop { $0 == 0x20 })
      while text.last == 0x20 { text.removeLast() }
      while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
      guard let value = Data(base64Encoded: Data(text)) else { return nil }
      values.append(Array(value))
    }
    return values
  }

  static func encode(_ value: [UInt8], into output: inout [UInt8]) {
    output += Data(value).base64EncodedData().prefix { $0 != UInt8(ascii: "=") }
  }
}
