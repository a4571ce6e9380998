import DequeModule
import NIOCore

/// Decides when handlers that have worked for longer than a slice resume after they yield to others. Each waits for a
/// moment in which no calls start, but not for long, and they resume one at a time.
///
/// Confined to the loop.
struct LongRunners {
  /// How long a handler may run before it yields.
  static let slice = TimeAmount.microseconds(250)
  /// The period without new calls after which a handler resumes; NIO polls its sockets meanwhile.
  static let pause = TimeAmount.microseconds(100)
  /// The longest time that new calls can delay a handler.
  static let patience = TimeAmount.milliseconds(10)

  /// The next step of the caller.
  enum Step: Equatable {
    case nothing
    /// Call ``looked(now:)`` at this time.
    case look(at: NIODeadline)
    /// Resume the first waiting handler.
    case resume
  }

  /// The times since which handlers wait, in the order in which they resume.
  private var waiting: Deque<NIODeadline> = []
  private var begunWhenLooked = 0
  private var begun = 0

  /// Records the start of a call.
  mutating func callBegan() { begun &+= 1 }

  /// Adds a waiting handler. Returns when to look, or nothing if a look is already scheduled.
  mutating func began(now: NIODeadline) -> Step {
    waiting.append(now)
    return waiting.count == 1 ? look(now) : .nothing
  }

  /// Performs a scheduled look.
  mutating func looked(now: NIODeadline) -> Step {
    guard let since = waiting.first else { return .nothing }
    return begun == begunWhenLooked || now >= since + Self.patience ? .resume : look(now)
  }

  /// Records that the first handler has resumed and run. The next look is scheduled only now, because an earlier one
  /// could run before NIO has polled its sockets.
  mutating func resumed(now: NIODeadline) -> Step {
    waiting.removeFirst()
    return waiting.isEmpty ? .nothing : look(now)
  }

  private mutating func look(_ now: NIODeadline) -> Step {
    begunWhenLooked = begun
    return .look(at: now + Self.pause)
  }
}
