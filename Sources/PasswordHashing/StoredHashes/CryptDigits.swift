/// The digits that crypt(5) writes hashes and salts with: six bits each.
enum CryptDigits {
  static let itoa64 = Array("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

  /// Returns the value of a digit, or nil for another byte.
  static func value(_ digit: UInt8?) -> Int? {
    guard let digit else { return nil }
    // Not a search: an import looks at 53 digits of each bcrypt hash.
    switch digit {
    case UInt8(ascii: ".")...UInt8(ascii: "9"): return Int(digit - UInt8(ascii: "."))
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): return Int(digit - UInt8(ascii: "A")) + 12
    case UInt8(ascii: "a")...UInt8(ascii: "z"): return Int(digit - UInt8(ascii: "a")) + 38
    default: return nil
    }
  }

  /// Returns whether `text` is `length` digits.
  static func areValid(_ text: Substring, length: Int) -> Bool {
    text.utf8.count == length && text.utf8.allSatisfy { value($0) != nil }
  }

  /// Returns the digits of `bytes`, the lowest six bits first.
  static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
    var digits: [UInt8] = []
    var bits = 0
    var value = 0
    for byte in bytes {
      value |= Int(byte) << bits
      bits += 8
      while bits >= 6 {
        digits.append(itoa64[value & 0x3f])
        value >>= 6
        bits -= 6
      }
    }
    if bits > 0 { digits.append(itoa64[value]) }
    return digits
  }
}
