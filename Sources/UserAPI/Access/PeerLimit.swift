/// How often one caller may do what needs no token and costs much.
public struct PeerLimit: Hashable, Sendable {
  /// Calls a second, in the long run.
  public let rate: Double
  /// Calls at once.
  public let burst: Int

  /// A limit; both numbers are more than 0.
  public init(rate: Double, burst: Int) {
    self.rate = rate
    self.burst = burst
  }
}
