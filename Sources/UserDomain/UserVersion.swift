import Primitives

/// A state of a user, which an etag names (AIP-154). Every change of the user makes a later one.
public struct UserVersion: Hashable, Sendable {
  /// The length of an etag in bytes.
  public static let etagLength = 16

  /// The time of the change that made it, which is later than that of every earlier version of the same user.
  public let time: Timestamp

  /// Creates the version that a change at `time` made.
  public init(_ time: Timestamp) { self.time = time }

  /// Creates the version that `etag` names; nil for text that is not an etag.
  public init?(etag: String) {
    let bits = Array(etag.utf8).withUnsafeBytes { text -> UInt64? in
      func number(at offset: Int) -> UInt64? {
        let digits = UInt64(bigEndian: text.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        return Hexadecimal.number(of: digits).map { UInt64($0) }
      }
      guard text.count == Self.etagLength, let high = number(at: 0), let low = number(at: 8) else {
        return nil
      }
      return high << 32 | low
    }
    guard let bits else { return nil }
    time = Timestamp(microsecondsSinceEpoch: Int64(bitPattern: bits))
  }

  /// Writes the etag, 16 hexadecimal digits in ASCII, to `text`.
  public func writeEtag(to text: UnsafeMutableRawPointer) {
    let bits = UInt64(bitPattern: time.microsecondsSinceEpoch)
    func write(_ number: UInt64, at offset: Int) {
      let digits = Hexadecimal.digits(UInt32(truncatingIfNeeded: number))
      text.storeBytes(of: digits.bigEndian, toByteOffset: offset, as: UInt64.self)
    }
    write(bits >> 32, at: 0)
    write(bits, at: 8)
  }

  /// The etag.
  public var etag: String { Hexadecimal.encode(UInt64(bitPattern: time.microsecondsSinceEpoch)) }
}
