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
