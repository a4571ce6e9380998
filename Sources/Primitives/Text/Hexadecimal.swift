/// Hexadecimal text (RFC 4648 §8), written in lower case.
public enum Hexadecimal {
  /// Returns two digits for each of `bytes`.
  public static func encode(_ bytes: some Collection<UInt8>) -> String {
    String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
      var end = 0
      for byte in bytes {
        let pair = digits(UInt32(byte))
        text[end] = UInt8(truncatingIfNeeded: pair >> 8)
        text[end + 1] = UInt8(truncatingIfNeeded: pair)
        end += 2
      }
      return end
    }
  }

  /// Returns the 16 digits of `number`.
  public static func encode(_ number: UInt64) -> String {
    String(unsafeUninitializedCapacity: 16) { text in
      let text = UnsafeMutableRawBufferPointer(text)
      text.storeBytes(of: digits(UInt32(number >> 32)).bigEndian, as: UInt64.self)
      let low = digits(UInt32(truncatingIfNeeded: number))
      text.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
      return 16
    }
  }

  /// Returns the eight digits of `number` in ASCII, the first in the most significant byte.
  @inlinable public static func digits(_ number: UInt32) -> UInt64 {
    // Spreads one nibble per byte, in three steps.
    var digits = UInt64(number)
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f
    // Letters get a 1 in their byte: their ASCII code is 39 higher.
    let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    return digits + 0x3030_3030_3030_3030 + letters * 39
  }

  /// Returns the number of eight ASCII digits, in either case, the first in the most significant byte; nil if any of them
  /// is not a digit. The inverse of ``digits(_:)``.
  @inlinable public static func number(of digits: UInt64) -> UInt32? {
    let highBits: UInt64 = 0x8080_8080_8080_8080
    let lowerCase = digits | 0x2020_2020_2020_2020
    // Sets the high bit of each byte from `first` on. Bytes are below 0x80, so that no sum carries into the next byte.
    func from(_ first: UInt8, _ bytes: UInt64) -> UInt64 {
      (bytes & ~highBits) + 0x0101_0101_0101_0101 * UInt64(0x80 - first)
    }
    let figures = from(UInt8(ascii: "0"), digits) & ~from(UInt8(ascii: "9") + 1, digits)
    let letters = from(UInt8(ascii: "a"), lowerCase) & ~from(UInt8(ascii: "f") + 1, lowerCase) & highBits
    guard digits & highBits == 0, (figures | letters) & highBits == highBits else { return nil }
    // One nibble per byte, gathered in three steps.
    var number = (digits & 0x0f0f_0f0f_0f0f_0f0f) + (letters >> 7) * 9
    number = (number | number >> 4) & 0x00ff_00ff_00ff_00ff
    number = (number | number >> 8) & 0x0000_ffff_0000_ffff
    return UInt32(truncatingIfNeeded: number | number >> 16)
  }

  /// Returns the value of one ASCII digit, in either case, or nil for any other byte.
  @inlinable public static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

extension Unicode.Scalar {
  /// The code point as Unicode writes it, `U+00E9`: at least four upper-case digits.
  package var codePoint: String {
    let digits = String(value, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: max(4 - digits.count, 0)) + digits
  }
}
