import DequeModule
import NIOCore

/// Handlers of one event loop that have work for longer than a slice, and let others go first: each waits for
/// a moment in which no calls begin, but not for long, and they go on one at a time.
///
/// Confined to the loop.
struct LongRunners {
  /// How long a handler has the loop for itself.
  static let slice = TimeAmount.microseconds(250)
  /// For how long none may have begun; NIO looks at its sockets meanwhile.
  static let pause = TimeAmount.microseconds(100)
  /// How long calls that begin can keep a long runner waiting.
  static let patience = TimeAmount.milliseconds(10)

  /// What to do next.
  enum Step: Equatable {
    case nothing
    /// Ask again then.
    case look(at: NIODeadline)
    /// The first of those who wait goes on.
    case resume
  }

  /// Since when each handler waits, in the order in which they go on.
  private var waiting: Deque<NIODeadline> = []
  private var begunWhenLooked = 0
  private var begun = 0

  /// A call has begun.
  mutating func callBegan() { begun &+= 1 }

  /// A handler waits. Returns when to look, or nothing if that is known already.
  mutating func began(now: NIODeadline) -> Step {
    waiting.append(now)
    return waiting.count == 1 ? look(now) : .nothing
  }

  /// The time has come to look.
  mutating func looked(now: NIODeadline) -> Step {
    guard let since = waiting.first else { return .nothing }
    return begun == begunWhenLooked || now >= since + Self.patience ? .resume : look(now)
  }

  /// The first one has gone on, and has had its turn. Only now is the next look known: one that is due before
  /// would be taken before NIO has looked at its sockets again.
  mutating func resumed(now: NIODeadline) -> Step {
    waiting.removeFirst()
    return waiting.isEmpty ? .nothing : look(now)
  }

  private mutating func look(_ now: NIODeadline) -> Step {
    begunWhenLooked = begun
    return .look(at: now + Self.pause)
  }
}
