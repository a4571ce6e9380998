import GRPCCore
import Synchronization
import UserDomain
import UserProtos

/// How often one address may call what everybody may call and what costs much.
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

/// A token bucket for each peer address: for CreateUser and SignIn together.
///
/// Peers of one ``PeerNetwork`` share a bucket.
final class PeerLimiter: Sendable {
  private struct State {
    /// When each bucket will be full again. One that is full may be missing.
    var fullAt: [PeerNetwork: ContinuousClock.Instant] = [:]
    var sizeBeforePurge = PeerLimiter.leastPurge
    /// The next purge comes no sooner.
    var purgedAt: ContinuousClock.Instant?
  }

  private static let leastPurge = 1_024
  /// Addresses that are told apart, at most; about 10 MiB. Beyond that all others share one bucket.
  static let capacity = 100_000
  private static let others = PeerNetwork(peer: "")

  private let limit: PeerLimit
  private let now: @Sendable () -> ContinuousClock.Instant
  private let state = Mutex(State())

  init(_ limit: PeerLimit, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
    self.limit = limit
    self.now = now
  }

  /// Whether calls of that method are limited.
  static func covers(_ method: MethodDescriptor) -> Bool {
    method == User_V1_UserService.Method.CreateUser.descriptor
      || method == Auth_V1_AuthService.Method.SignIn.descriptor
  }

  /// Takes a call of `peer` out of its bucket.
  ///
  /// - Throws: `UserError.peerLimitExceeded` if there is none left.
  func admit(_ peer: String) throws(UserError) {
    let time = now()
    let perCall = Duration.seconds(1 / limit.rate)
    let excess = state.withLock { state -> Duration in
      var key = PeerNetwork(peer: peer)
      if state.fullAt[key] == nil {
        Self.makeRoom(in: &state, time)
        if state.fullAt.count >= Self.capacity { key = Self.others }
      }
      let fullAt = max(state.fullAt[key] ?? time, time) + perCall
      let excess = (fullAt - time) - perCall * limit.burst
      if excess <= .zero { state.fullAt[key] = fullAt }
      return excess
    }
    if excess > .zero { throw .peerLimitExceeded(retryAfter: excess) }
  }

  /// Forgets full buckets: now and then, so that it costs each newcomer little, also while there is nothing
  /// to forget.
  private static func makeRoom(in state: inout State, _ now: ContinuousClock.Instant) {
    guard state.fullAt.count >= state.sizeBeforePurge, state.purgedAt.map({ now - $0 >= .seconds(1) }) ?? true
    else { return }
    state.fullAt = state.fullAt.filter { $0.value > now }
    state.sizeBeforePurge = min(max(leastPurge, 2 * state.fullAt.count), capacity)
    state.purgedAt = now
  }

  /// The number of addresses that are told apart now.
  var count: Int { state.withLock { $0.fullAt.count } }
}
