import Foundation
import Primitives

/// A point in time, in whole microseconds since 1970-01-01T00:00:00Z, without leap seconds (POSIX time).
///
/// A 64-bit count of microseconds is exact in the database and on the wire; a `Date` is not.
public struct Timestamp: Hashable, Sendable {
  /// Microseconds since the Unix epoch; negative before it.
  public let microsecondsSinceEpoch: Int64

  /// Creates the time this many microseconds after the Unix epoch.
  public init(microsecondsSinceEpoch: Int64) {
    self.microsecondsSinceEpoch = microsecondsSinceEpoch
  }

  /// The system's wall clock, which may step in either direction.
  public static var now: Timestamp {
    var time = timespec()
    // CLOCK_REALTIME with a valid pointer cannot fail (clock_gettime(2): EFAULT, EINVAL only).
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microsecondsSinceEpoch: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
  }
}

extension Timestamp {
  /// Returns the time later by `duration`, in whole microseconds.
  public static func + (time: Timestamp, duration: Duration) -> Timestamp {
    let (seconds, attoseconds) = duration.components
    return Timestamp(
      microsecondsSinceEpoch: time.microsecondsSinceEpoch + seconds * 1_000_000
        + attoseconds / 1_000_000_000_000)
  }

  /// Returns the time earlier by `duration`, in whole microseconds.
  public static func - (time: Timestamp, duration: Duration) -> Timestamp { time + (.zero - duration) }
}

extension Timestamp: Comparable {
  /// Returns whether `left` is earlier than `right`.
  public static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.microsecondsSinceEpoch < right.microsecondsSinceEpoch
  }
}

extension Timestamp: CustomStringConvertible {
  /// The time in RFC 3339 in UTC with milliseconds, as `2026-11-23T02:36:03.000Z`.
  public var description: String {
    RFC3339.text(microsecondsSinceEpoch: microsecondsSinceEpoch, .milliseconds)
  }
}
