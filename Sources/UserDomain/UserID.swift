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
    var position = 0
    for index in 0..<16 {
      if index == 4 || index == 6 || index == 8 || index == 10 {
        text[position] = UInt8(ascii: "-")
        position += 1
      }
      let half = index < 8 ? high : low
      let byte = UInt8(truncatingIfNeeded: half >> (56 - 8 * UInt64(index & 7)))
      text[position] = hexDigit(byte >> 4)
      text[position + 1] = hexDigit(byte & 0x0f)
      position += 2
    }
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

private func hexDigit(_ nibble: UInt8) -> UInt8 {
  nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}
