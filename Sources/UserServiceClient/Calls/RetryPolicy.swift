import GRPCCore

extension UserServiceClient {
  /// When a call is made again that has failed (gRFC A6, as far as it goes).
  ///
  /// Repeated is what may be: GetUser, CreateUser and bulk loads, whose requests have ids; listings, which go on
  /// behind the last user that was seen; sign-ins and refreshes; the update of one user's address or name. Not one of
  /// its password or status, and not a stream of updates.
  ///
  /// A call is repeated after UNAVAILABLE, and when one attempt has taken too long while the call still has time. It is
  /// not GRPCCore's own policy, which ends a call that finds no connection, and knows no limit for an attempt.
  public struct RetryPolicy: Hashable, Sendable {
    /// How often a call is made at most, the first time included; 3 by default. A listing counts anew after each page.
    public var maximumAttempts = 3
    /// The pause after the first attempt; 100 ms by default. Each pause differs by up to 20 % at random.
    public var initialBackoff: Duration = .milliseconds(100)
    /// What a pause is multiplied by for the next; 2 by default.
    public var multiplier = 2.0
    /// The longest pause; 2 s by default. What the service asks for may be longer.
    public var maximumBackoff: Duration = .seconds(2)
    /// What one attempt may take of a call that has one answer; 2.5 s by default.
    public var attemptTimeout: Duration = .milliseconds(2_500)

    /// The defaults.
    public init() {}

    /// Each call once.
    public static var never: RetryPolicy {
      var policy = RetryPolicy()
      policy.maximumAttempts = 1
      return policy
    }
  }
}

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
