import UserDomain

/// Limits the work that callers without a token can cause, by network.
///
/// Three kinds have separate buckets of the same size: calls that need no token, checks of invalid tokens, and users'
/// own updates. A network that has exhausted one still has the others.
final class PeerLimiter: Sendable {
  private let calls: RateLimiter<PeerNetwork>
  private let tokenChecks: RateLimiter<PeerNetwork>
  private let ownUpdates: RateLimiter<String>

  init(_ limit: PeerLimit, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
    calls = RateLimiter(limit, now: now)
    tokenChecks = RateLimiter(limit, now: now)
    ownUpdates = RateLimiter(limit, now: now)
  }

  /// Counts a call by `peer`, an address formatted by GRPCCore.
  ///
  /// - Throws: `UserError.peerLimitExceeded` if the network's bucket is empty.
  func admit(_ peer: String, _ cost: CallCost = .full) throws(UserError) {
    guard cost != .nothing else { return }
    try Self.check(calls.take(cost.rawValue, of: PeerNetwork(peer: peer)))
  }

  /// Counts the check of a token's signature, before the check.
  ///
  /// - Throws: `UserError.peerLimitExceeded` if the bucket of `peer`'s network is empty.
  func admitTokenCheck(_ peer: String) throws(UserError) {
    try Self.check(tokenChecks.take(of: PeerNetwork(peer: peer)))
  }

  /// Refunds the check of a valid token, which is cached from now on.
  func tokenWasValid(_ peer: String) {
    tokenChecks.giveBack(to: PeerNetwork(peer: peer))
  }

  /// Counts an update by the user `subject` that can reveal which addresses are registered. It costs the peer's network
  /// as much as a CreateUser call.
  ///
  /// - Throws: `UserError.peerLimitExceeded` if the bucket of the user, or of `peer`'s network, is empty.
  func admitOwnUpdate(_ peer: String, subject: String) throws(UserError) {
    try Self.check(ownUpdates.take(of: subject))
    try admit(peer)
  }

  private static func check(_ wait: Duration?) throws(UserError) {
    if let wait { throw .peerLimitExceeded(retryAfter: wait) }
  }
}
