import NIOCore
import Synchronization

/// Since when a connection has no streams. Written on the connection's event loop, read on any thread.
final class IdleTime: Sendable {
  /// Of the connection's clock, in nanoseconds; `UInt64.max` while there are streams.
  private let nanoseconds: Atomic<UInt64>

  /// The time of a connection that is made at `now`, without streams.
  init(now: NIODeadline) {
    nanoseconds = Atomic(now.uptimeNanoseconds)
  }

  /// Since when the connection is idle; nil while it has streams.
  var start: NIODeadline? {
    let value = nanoseconds.load(ordering: .relaxed)
    return value == .max ? nil : .uptimeNanoseconds(value)
  }

  /// The first stream is open.
  func becameBusy() { nanoseconds.store(.max, ordering: .relaxed) }

  /// The last stream is closed.
  func becameIdle(now: NIODeadline) { nanoseconds.store(now.uptimeNanoseconds, ordering: .relaxed) }
}
