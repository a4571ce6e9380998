import Crypto

/// The place of a user in the order of creation: a UUIDv7, by which listings continue.
///
/// It is the user's id, if that is a UUIDv7 of the time of creation, as all ids that the service assigns. Otherwise it is
/// derived from the time of creation and the id.
public enum UserPlace {
  /// Returns the place of a user that is not its id; nil if its id is its place.
  public static func other(than id: UserID, createdAt: Timestamp) -> UserID? {
    let milliseconds = milliseconds(of: createdAt)
    if id.isVersion7, id.high >> 16 == milliseconds { return nil }
    let digest = id.withUnsafeBytes { SHA256.hash(data: $0) }
    let (first, second) = digest.withUnsafeBytes { bytes in
      (bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
    return UserID(
      high: milliseconds << 16 | 0x7000 | UInt64(littleEndian: first) & 0xfff,
      low: 0x8000_0000_0000_0000 | UInt64(littleEndian: second) >> 2)
  }

  /// The first possible place of a user created at `time`.
  public static func first(at time: Timestamp) -> UserID {
    UserID(high: milliseconds(of: time) << 16, low: 0)
  }

  /// The last possible place of a user created at `time`.
  public static func last(at time: Timestamp) -> UserID {
    UserID(high: milliseconds(of: time) << 16 | 0xffff, low: .max)
  }

  /// The time in a place, in whole milliseconds.
  public static func time(of place: UserID) -> Timestamp {
    Timestamp(microsecondsSinceEpoch: Int64(place.high >> 16) * 1_000)
  }

  /// The milliseconds of an id that is created at `time`. Times before 1970 or after the year 10889 are clamped.
  static func milliseconds(of time: Timestamp) -> UInt64 {
    min(UInt64(clamping: time.microsecondsSinceEpoch / 1_000), 0xffff_ffff_ffff)
  }
}

extension UserID {
  /// The greatest id.
  public static let last = UserID(high: .max, low: .max)

  /// Whether it is a UUIDv7 (RFC 9562 §5.7).
  public var isVersion7: Bool { high >> 12 & 0xf == 7 && low >> 62 == 0b10 }
}
