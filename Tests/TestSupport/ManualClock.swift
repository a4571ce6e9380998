import Synchronization
public import UserDomain

/// A wall clock that tests set.
public final class ManualClock: Sendable {
  private let time: Mutex<Timestamp>

  /// Creates a clock that stands at `now`.
  public init(_ now: Timestamp = Timestamp(microsecondsSinceEpoch: 1_764_000_000_000_000)) {
    time = Mutex(now)
  }

  /// The clock's time.
  public var now: Timestamp { time.withLock { $0 } }

  /// Moves the clock, forwards or backwards.
  public func advance(by duration: Duration) {
    time.withLock { $0 = $0 + duration }
  }
}
