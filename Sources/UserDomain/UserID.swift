/// The identity of a user: 128 bits, in practice a UUIDv7 (RFC 9562 §5.7).
///
/// Ids compare as their bytes do, which for UUIDv7 is the order of creation.
public struct UserID: Hashable, Sendable {
  /// Bytes 0–7, big-endian.
  public let high: UInt64
  /// Bytes 8–15, big-endian.
  public let low: UInt64

  /// The id whose 16 bytes are `high` followed by `low`, each big-endian.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The id stored in exactly 16 bytes, or nil for any other length.
  public init?(bytes: UnsafeRawBufferPointer) {
    guard bytes.count == 16 else { return nil }
    high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
    low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
  }

  /// Parses the 36-character form of RFC 9562 §4, in either case, of any UUID version.
  ///
  /// Returns nil for anything else: no braces, no `urn:uuid:`, no missing hyphens.
  public init?(_ text: some StringProtocol) {
    self.init(text: text.utf8)
  }

  /// Parses the same form in UTF-8.
  public init?(utf8 text: UnsafeRawBufferPointer) {
    self.init(text: text)
  }

  private init?(text: some Sequence<UInt8>) {
    var halves: (UInt64, UInt64) = (0, 0)
    var position = 0
    for byte in text {
      switch position {
      case 8, 13, 18, 23:
        guard byte == UInt8(ascii: "-") else { return nil }
      case 0..<18:
        guard let digit = hexDigitValue(byte) else { return nil }
        halves.0 = halves.0 << 4 | digit
      case 18..<36:
        guard let digit = hexDigitValue(byte) else { return nil }
        halves.1 = halves.1 << 4 | digit
      default:
        return nil
      }
      position += 1
    }
    guard position == 36 else { return nil }
    self.init(high: halves.0, low: halves.1)
  }

  /// Calls `body` with the id's 16 bytes, most significant first.
  public func withUnsafeBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let bigEndian = (high.bigEndian, low.bigEndian)
    return try Swift.withUnsafeBytes(of: bigEndian, body)
  }
}

extension UserID: Comparable {
  /// Byte order, which is SQLite's order of the stored BLOBs (sqlite.org/datatype3.html §4.1).
  public static func < (left: UserID, right: UserID) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }
}

extension UserID: CustomStringConvertible {
  /// Bytes of the text form.
  public static let textLength = 36

  /// Writes the 36-character lower-case form (RFC 9562 §4), in ASCII, to the beginning of `text`.
  public func writeText(to text: UnsafeMutableRawBufferPointer) {
    precondition(text.count >= Self.textLength)
    let hyphen = UInt8(ascii: "-")
    func write<Digits: FixedWidthInteger>(_ digits: Digits, at offset: Int) {
      text.storeBytes(of: digits.bigEndian, toByteOffset: offset, as: Digits.self)
    }
    let (second, third) = (hexDigits(high), hexDigits(low >> 32))
    write(hexDigits(high >> 32), at: 0)
    text[8] = hyphen
    write(UInt32(truncatingIfNeeded: second >> 32), at: 9)
    text[13] = hyphen
    write(UInt32(truncatingIfNeeded: second), at: 14)
    text[18] = hyphen
    write(UInt32(truncatingIfNeeded: third >> 32), at: 19)
    text[23] = hyphen
    write(UInt32(truncatingIfNeeded: third), at: 24)
    write(hexDigits(low), at: 28)
  }

  /// The 36-character lower-case form (RFC 9562 §4).
  public var description: String {
    String(unsafeUninitializedCapacity: Self.textLength) { text in
      writeText(to: UnsafeMutableRawBufferPointer(text))
      return Self.textLength
    }
  }
}

private func hexDigitValue(_ byte: UInt8) -> UInt64? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
  case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
  case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
  default: nil
  }
}

/// The eight hexadecimal digits of `number`'s lower half, in ASCII, the first in the most significant byte.
private func hexDigits(_ number: UInt64) -> UInt64 {
  // A nibble a byte, in three steps.
  var digits = number & 0xffff_ffff
  digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff
  digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff
  digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f
  // 1 in the bytes that are letters, whose ASCII is 39 further on.
  let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
  return digits + 0x3030_3030_3030_3030 + letters * 39
}
