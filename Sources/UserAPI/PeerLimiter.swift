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
/// An IPv6 address counts as its /64 network, which is what one customer has at least. All peers on Unix
/// sockets count as one.
final class PeerLimiter: Sendable {
  private struct State {
    /// When each bucket will be full again. One that is full may be missing.
    var fullAt: [String: ContinuousClock.Instant] = [:]
    var sizeBeforePurge = PeerLimiter.leastPurge
    /// The next purge comes no sooner.
    var purgedAt: ContinuousClock.Instant?
  }

  private static let leastPurge = 1_024
  /// Addresses that are told apart, at most; about 10 MiB. Beyond that all others share one bucket.
  static let capacity = 100_000

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
      var key = Self.network(of: peer)
      if state.fullAt[key] == nil {
        Self.makeRoom(in: &state, time)
        if state.fullAt.count >= Self.capacity { key = "" }
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

  /// What `peer`, as GRPCCore writes it, counts as: `ipv4:127.0.0.1`, `ipv6:2001:db8:0:1`.
  static func network(of peer: String) -> String {
    if peer.hasPrefix("ipv4:") { return String(peer[..<(peer.lastIndex(of: ":") ?? peer.endIndex)]) }
    guard peer.hasPrefix("ipv6:[") else { return String(peer.prefix { $0 != ":" }) }
    // Without the zone of a link-local address.
    let address = peer.dropFirst(6).prefix { $0 != "]" && $0 != "%" }
    // An IPv4 address, as a socket for both families sees it (RFC 4291 §2.5.5.2).
    if address.hasPrefix("::ffff:"), address.contains(".") { return "ipv4:\(address.dropFirst(7))" }
    return "ipv6:" + firstGroups(of: address).joined(separator: ":")
  }

  /// The first 64 bits of an IPv6 address, in groups of 16 (RFC 4291 §2.2).
  private static func firstGroups(of address: Substring) -> ArraySlice<Substring> {
    let halves = address.split(separator: "::", omittingEmptySubsequences: false)
    let head = halves[0].split(separator: ":")
    // What `::` leaves out is zeros; the groups after it are the last ones of eight.
    let tail = halves.count > 1 ? halves[1].split(separator: ":") : []
    let zeros = [Substring](repeating: "0", count: max(8 - head.count - tail.count, 0))
    return (head + zeros + tail).prefix(4)
  }

  /// The number of addresses that are told apart now.
  var count: Int { state.withLock { $0.fullAt.count } }
}
