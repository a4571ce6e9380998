/// The rate limit of one network for expensive calls without a token.
public struct PeerLimit: Hashable, Sendable {
  /// Calls per second, sustained.
  public let rate: Double
  /// Calls in one burst.
  public let burst: Int

  /// Creates a limit. Both numbers must be greater than 0.
  public init(rate: Double, burst: Int) {
    self.rate = rate
    self.burst = burst
  }
}
