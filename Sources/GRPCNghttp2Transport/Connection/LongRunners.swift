import NIOCore

/// Handlers of one event loop that have work for longer than a slice, and let others go first: each waits for
/// a moment in which no calls begin, but not for long, and they go on one at a time.
///
/// Confined to the loop.
struct LongRunners {
  /// How long a handler has the loop for itself.
  static let slice = TimeAmount.microseconds(250)
  /// How long none may have begun; NIO looks at its sockets meanwhile.
  static let pause = TimeAmount.microseconds(50)
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

  private var waiting = 0
  private var since = NIODeadline.distantPast
  private var begunWhenLooked = 0
  private var begun = 0

  /// A call has begun.
  mutating func callBegan() { begun &+= 1 }

  /// A handler waits. Returns when to look, or nothing if that is known already.
  mutating func began(now: NIODeadline) -> Step {
    waiting += 1
    return waiting == 1 ? wait(now) : .nothing
  }

  /// The time has come to look.
  mutating func looked(now: NIODeadline) -> Step {
    guard waiting > 0 else { return .nothing }
    if begun == begunWhenLooked || now >= since + Self.patience { return .resume }
    begunWhenLooked = begun
    return .look(at: now + 4 * Self.pause)
  }

  /// The first one has gone on.
  mutating func resumed(now: NIODeadline) -> Step {
    waiting -= 1
    return waiting > 0 ? wait(now) : .nothing
  }

  private mutating func wait(_ now: NIODeadline) -> Step {
    since = now
    begunWhenLooked = begun
    return .look(at: now + Self.pause)
  }
}
