public import Primitives

/// Generates UUIDv7 ids, each greater than the previous one.
///
/// Layout (RFC 9562 §5.7): 48 bits of Unix milliseconds, the version, a 12-bit counter, the variant, 62 random bits.
/// The counter is the "fixed bit-length dedicated counter" of §6.2 method 1. Each new millisecond seeds it with 11
/// random bits, so at least 2,048 ids fit before it overflows. On overflow, and while the clock stands still or steps
/// back, the generator continues from its own last millisecond, ahead of the clock.
///
/// A value type without a lock: its one owner (the store's writer) calls it from one thread at a time.
public struct UserIDGenerator: Sendable {
  private let fill: @Sendable (UnsafeMutableRawBufferPointer) -> Void
  /// Unused random words, drawn many at a time because a draw is a system call.
  private var reserve: [UInt64] = []
  private var milliseconds: UInt64 = 0
  private var counter: UInt64 = 0
  private static let lastMillisecond: UInt64 = 0xffff_ffff_ffff

  /// Creates a generator whose random bits come from `fill`, by default the system's cryptographic generator.
  public init(random fill: @escaping @Sendable (UnsafeMutableRawBufferPointer) -> Void = SystemRandom.fill) {
    self.fill = fill
  }

  /// Makes every later id greater than `id`, even if the clock is wrong. Ids that are not UUIDv7 are ignored.
  public mutating func advance(past id: UserID) {
    let (time, number) = (id.high >> 16, id.high & 0xfff)
    guard id.isVersion7, (time, number) > (milliseconds, counter) else { return }
    (milliseconds, counter) = (time, number)
  }

  /// The time in the last id, or in the one that the next id is greater than; 1970 before either.
  public var latestTime: Timestamp { Timestamp(microsecondsSinceEpoch: Int64(milliseconds) * 1_000) }

  /// Returns the next id, for a user created at `now`. Times before 1970 or after the year 10889 are clamped.
  public mutating func next(at now: Timestamp) -> UserID {
    let bits = nextRandom()
    let clock = UserPlace.milliseconds(of: now)
    if clock > milliseconds {
      startMillisecond(clock, seed: nextRandom())
    } else if counter < 0xfff {
      counter += 1
    } else {
      startMillisecond(milliseconds + 1, seed: nextRandom())
    }
    return UserID(
      high: milliseconds << 16 | 0x7000 | counter,
      low: 0x8000_0000_0000_0000 | bits >> 2
    )
  }

  /// Returns a random UUIDv7 of `time`, without regard to the order of other ids.
  public mutating func random(at time: Timestamp) -> UserID {
    let bits = nextRandom()
    return UserID(
      high: UserPlace.milliseconds(of: time) << 16 | 0x7000 | nextRandom() & 0xfff,
      low: 0x8000_0000_0000_0000 | bits >> 2)
  }

  private mutating func startMillisecond(_ value: UInt64, seed: UInt64) {
    milliseconds = min(value, Self.lastMillisecond)
    counter = seed & 0x7ff
  }

  private mutating func nextRandom() -> UInt64 {
    if reserve.isEmpty {
      reserve = [UInt64](unsafeUninitializedCapacity: 32) { words, count in
        fill(UnsafeMutableRawBufferPointer(words))
        count = words.count
      }
    }
    return reserve.removeLast()
  }
}
