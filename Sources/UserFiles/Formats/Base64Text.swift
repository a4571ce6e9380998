import Foundation

/// A text in base64 (RFC 4648 section 4), or base64url (section 5), with padding or without.
struct Base64Text {
  /// The number of bytes that the text stands for.
  let count: Int
  /// The text in base64 with padding.
  let padded: String
  /// The text in base64 without padding.
  var unpadded: String { String(padded.prefix { $0 != "=" }) }

  /// Checks `text`; nil if it is not base64.
  init?(_ text: String) {
    var digits: [UInt8] = []
    digits.reserveCapacity(text.utf8.count + 3)
    var padding = 0
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "+"), UInt8(ascii: "/"): digits.append(byte)
      case UInt8(ascii: "-"): digits.append(UInt8(ascii: "+"))
      case UInt8(ascii: "_"): digits.append(UInt8(ascii: "/"))
      case UInt8(ascii: "="): padding += 1
      default: return nil
      }
      if padding > 0, byte != UInt8(ascii: "=") { return nil }
    }
    let missing = (4 - digits.count % 4) % 4
    // A single digit has six bits of a byte. Fewer padding characters than are missing, or none, are accepted.
    guard missing < 3, padding <= missing else { return nil }
    count = digits.count * 3 / 4
    padded = String(decoding: digits, as: UTF8.self) + String(repeating: "=", count: missing)
  }

  init(_ data: some Sequence<UInt8>) {
    let data = Data(data)
    count = data.count
    padded = data.base64EncodedString()
  }
}
