import UserDomain

/// Limits what strangers can make the service do, by the network that they call from.
///
/// Calls that need no token, checks of tokens that turn out to be invalid, and a user's own updates have buckets of their
/// own, each of the same size. So a network that has used up one of them still has the others.
final class PeerLimiter: Sendable {
  private let calls: RateLimiter<PeerNetwork>
  private let tokenChecks: RateLimiter<PeerNetwork>
  private let ownUpdates: RateLimiter<String>

  init(_ limit: PeerLimit, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
    calls = RateLimiter(limit, now: now)
    tokenChecks = RateLimiter(limit, now: now)
    ownUpdates = RateLimiter(limit, now: now)
  }

  /// Counts a call of `peer`, an address as GRPCCore writes it.
  ///
  /// - Throws: `UserError.peerLimitExceeded` if its network has none left.
  func admit(_ peer: String, _ cost: CallCost = .full) throws(UserError) {
    guard cost != .nothing else { return }
    try Self.check(calls.take(cost.rawValue, of: PeerNetwork(peer: peer)))
  }

  /// Counts the check of a token's signature, before it is made.
  ///
  /// - Throws: `UserError.peerLimitExceeded` if the network of `peer` has none left.
  func admitTokenCheck(_ peer: String) throws(UserError) {
    try Self.check(tokenChecks.take(of: PeerNetwork(peer: peer)))
  }

  /// Takes back the count of a check: the token is valid, and will be known from here on.
  func tokenWasValid(_ peer: String) {
    tokenChecks.giveBack(to: PeerNetwork(peer: peer))
  }

  /// Counts an update by which the user `subject` may learn which addresses are registered. It takes as much from the
  /// peer's network as a CreateUser does.
  ///
  /// - Throws: `UserError.peerLimitExceeded` if the user, or the network of `peer`, has none left.
  func admitOwnUpdate(_ peer: String, subject: String) throws(UserError) {
    try Self.check(ownUpdates.take(of: subject))
    try admit(peer)
  }

  private static func check(_ wait: Duration?) throws(UserError) {
    if let wait { throw .peerLimitExceeded(retryAfter: wait) }
  }
}
