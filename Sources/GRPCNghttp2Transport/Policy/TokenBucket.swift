import NIOCore

/// A budget of `burst` tokens that grows by `rate` a second.
struct TokenBucket {
  private let burst: Int
  private let rate: Int
  private var tokens: Int
  private var filled: NIODeadline

  init(_ limit: (burst: Int, rate: Int), now: NIODeadline) {
    burst = limit.burst
    rate = limit.rate
    tokens = limit.burst
    filled = now
  }

  /// Takes a token. Returns whether one was available.
  mutating func take(now: NIODeadline) -> Bool {
    // A full bucket starts to refill when its first token is taken.
    if tokens == burst { filled = now }
    if tokens == 0 { refill(now) }
    guard tokens > 0 else { return false }
    tokens -= 1
    return true
  }

  /// Refills for whole seconds only, so that frequent calls do not lose fractions of a token.
  private mutating func refill(_ now: NIODeadline) {
    let seconds = (now - filled).nanoseconds / 1_000_000_000
    guard seconds > 0 else { return }
    tokens = Int(min(Int64(burst), seconds.multipliedReportingOverflow(by: Int64(rate)).partialValue))
    filled = filled + .seconds(seconds)
  }
}
