import Primitives

/// The id of a user: 128 bits, in practice a UUIDv7 (RFC 9562 §5.7).
///
/// Ids compare as their bytes do, which for UUIDv7 is the order of creation.
public struct UserID: Hashable, Sendable {
  /// Bytes 0–7, big-endian.
  public let high: UInt64
  /// Bytes 8–15, big-endian.
  public let low: UInt64

  /// Creates the id of the 16 bytes `high` and `low`, each big-endian.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Creates the id stored in exactly 16 bytes; nil for any other length.
  public init?(bytes: UnsafeRawBufferPointer) {
    guard bytes.count == 16 else { return nil }
    high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
    low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
  }

  /// Parses the 36-character form of RFC 9562 §4, in either case, of any UUID version.
  ///
  /// Returns nil for anything else: no braces, no `urn:uuid:`, no missing hyphens.
  public init?(_ text: some StringProtocol) {
    guard text.utf8.count == Self.textLength else { return nil }
    let id = Array(text.utf8).withUnsafeBytes { UserID(utf8: $0) }
    guard let id else { return nil }
    self = id
  }

  /// Parses the same form in UTF-8.
  public init?(utf8 text: UnsafeRawBufferPointer) {
    let hyphen = UInt8(ascii: "-")
    guard text.count == Self.textLength, text[8] == hyphen, text[13] == hyphen, text[18] == hyphen,
      text[23] == hyphen
    else { return nil }
    func eight(at offset: Int) -> UInt64 {
      UInt64(bigEndian: text.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    func four(at offset: Int) -> UInt64 {
      UInt64(UInt32(bigEndian: text.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }
    guard let first = Hexadecimal.number(of: eight(at: 0)),
      let second = Hexadecimal.number(of: four(at: 9) << 32 | four(at: 14)),
      let third = Hexadecimal.number(of: four(at: 19) << 32 | four(at: 24)),
      let fourth = Hexadecimal.number(of: eight(at: 28))
    else { return nil }
    self.init(high: UInt64(first) << 32 | UInt64(second), low: UInt64(third) << 32 | UInt64(fourth))
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
  /// Compares in byte order, SQLite's order of the stored BLOBs (sqlite.org/datatype3.html §4.1).
  public static func < (left: UserID, right: UserID) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }
}

extension UserID: CustomStringConvertible {
  /// The length of the text form in bytes.
  public static let textLength = 36

  /// Writes the 36-character lower-case form (RFC 9562 §4), in ASCII, to the beginning of `text`.
  public func writeText(to text: UnsafeMutableRawBufferPointer) {
    precondition(text.count >= Self.textLength)
    let hyphen = UInt8(ascii: "-")
    func write<Digits: FixedWidthInteger>(_ digits: Digits, at offset: Int) {
      text.storeBytes(of: digits.bigEndian, toByteOffset: offset, as: Digits.self)
    }
    func digits(_ number: UInt64) -> UInt64 { Hexadecimal.digits(UInt32(truncatingIfNeeded: number)) }
    let (second, third) = (digits(high), digits(low >> 32))
    write(digits(high >> 32), at: 0)
    text[8] = hyphen
    write(UInt32(truncatingIfNeeded: second >> 32), at: 9)
    text[13] = hyphen
    write(UInt32(truncatingIfNeeded: second), at: 14)
    text[18] = hyphen
    write(UInt32(truncatingIfNeeded: third >> 32), at: 19)
    text[23] = hyphen
    write(UInt32(truncatingIfNeeded: third), at: 24)
    write(digits(low), at: 28)
  }

  /// The 36-character lower-case form (RFC 9562 §4).
  public var description: String {
    String(unsafeUninitializedCapacity: Self.textLength) { text in
      writeText(to: UnsafeMutableRawBufferPointer(text))
      return Self.textLength
    }
  }
}
