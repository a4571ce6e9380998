import GRPCCore

/// Decides about the retries of one call. The caller supplies time and randomness.
struct RetrySchedule {
  /// The service's instruction about a retry.
  enum Pushback: Hashable, Sendable {
    case none
    case stop
    case after(Duration)
  }

  private let policy: UserServiceClient.RetryPolicy
  /// The number of the current attempt, from 1.
  private(set) var attempt = 1
  private var backoff: Duration

  init(_ policy: UserServiceClient.RetryPolicy) {
    self.policy = policy
    backoff = policy.initialBackoff
  }

  /// Records the failure of an attempt. Returns the pause before the next one, or nil to give up.
  ///
  /// - Parameters:
  ///   - remaining: the time left for the call; nil for no limit.
  ///   - random: a number from 0 to 1.
  mutating func failed(
    _ code: RPCError.Code, _ pushback: Pushback, remaining: Duration?, random: Double
  ) -> Duration? {
    guard code == .unavailable || code == .deadlineExceeded, attempt < policy.maximumAttempts else {
      return nil
    }
    let delay: Duration
    switch pushback {
    case .stop: return nil
    case .after(let asked): delay = asked
    case .none: delay = min(backoff, policy.maximumBackoff) * (0.8 + 0.4 * random)
    }
    if let remaining, delay >= remaining { return nil }
    attempt += 1
    backoff = min(backoff * policy.multiplier, policy.maximumBackoff)
    return delay
  }

  /// Records progress of the call: later failures start a new schedule.
  mutating func progressed() {
    self = RetrySchedule(policy)
  }
}
