extension UserServiceClient {
  /// When failed calls are retried; part of gRFC A6.
  ///
  /// The client retries only calls whose retry is safe: calls that change nothing; creations and bulk loads, which have
  /// request ids; changes and deletions of a user with an etag, or that are only checked; sign-ins and refreshes.
  /// Listings and exports continue after the last received user. Imports send the users without an outcome again.
  /// Changes and deletions without an etag, and streams of updates, are not retried.
  ///
  /// A call is retried after UNAVAILABLE, and when one attempt takes too long while the call has time left.
  /// GRPCCore's retry policy is not used: it fails a call without a connection, and cannot limit the time of an
  /// attempt.
  public struct RetryPolicy: Hashable, Sendable {
    /// The most attempts of a call, including the first; 3 by default. A listing starts anew after each page.
    public var maximumAttempts = 3
    /// The pause after the first attempt; 100 ms by default. Each pause varies at random by up to 20 %.
    public var initialBackoff: Duration = .milliseconds(100)
    /// The factor from one pause to the next; 2 by default.
    public var multiplier = 2.0
    /// The longest pause; 2 s by default. The service may request a longer one.
    public var maximumBackoff: Duration = .seconds(2)
    /// The time-out of one attempt of a call with a single response; 2.5 s by default.
    public var attemptTimeout: Duration = .milliseconds(2_500)

    /// Creates the default policy.
    public init() {}

    /// A policy without retries.
    public static var never: RetryPolicy {
      var policy = RetryPolicy()
      policy.maximumAttempts = 1
      return policy
    }
  }
}
