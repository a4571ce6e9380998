import NIOCore
import Synchronization

/// The time since which a connection has no streams. Written on the connection's event loop, read on any thread.
final class IdleTime: Sendable {
  /// The time in nanoseconds of `NIODeadline`; `UInt64.max` while there are streams.
  private let nanoseconds: Atomic<UInt64>

  /// Creates the time of a connection that starts at `now`, without streams.
  init(now: NIODeadline) {
    nanoseconds = Atomic(now.uptimeNanoseconds)
  }

  /// The time since which the connection is idle; nil while it has streams.
  var start: NIODeadline? {
    let value = nanoseconds.load(ordering: .relaxed)
    return value == .max ? nil : .uptimeNanoseconds(value)
  }

  /// Records that the first stream was opened.
  func becameBusy() { nanoseconds.store(.max, ordering: .relaxed) }

  /// Records that the last stream was closed.
  func becameIdle(now: NIODeadline) { nanoseconds.store(now.uptimeNanoseconds, ordering: .relaxed) }
}
