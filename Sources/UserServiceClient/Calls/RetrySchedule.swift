import GRPCCore

/// The attempts of one call. A value without clocks; `Caller` obeys it.
struct RetrySchedule {
  /// What the service says about another attempt.
  enum Pushback: Hashable, Sendable {
    case none
    case stop
    case after(Duration)
  }

  private let policy: UserServiceClient.RetryPolicy
  /// The attempt that is under way, from 1.
  private(set) var attempt = 1
  private var backoff: Duration

  init(_ policy: UserServiceClient.RetryPolicy) {
    self.policy = policy
    backoff = policy.initialBackoff
  }

  /// An attempt has failed. Returns how long to wait for the next, or nil to give up.
  ///
  /// - Parameters:
  ///   - remaining: of the call's time; nil for no end.
  ///   - random: from 0 to 1.
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

  /// The call has got on: what fails from now on is another matter.
  mutating func progressed() {
    self = RetrySchedule(policy)
  }
}
