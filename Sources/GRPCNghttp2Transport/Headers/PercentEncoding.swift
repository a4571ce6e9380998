/// The encoding of `grpc-message`: UTF-8 in which `%` and bytes outside %x20–7E are written as `%` and two digits
/// (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
enum PercentEncoding {
  private static let digits = Array("0123456789ABCDEF".utf8)

  static func encode(_ message: String, into output: inout [UInt8]) {
    for byte in message.utf8 {
      if (0x20...0x7e).contains(byte), byte != UInt8(ascii: "%") {
        output.append(byte)
      } else {
        output += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
  }
}
