import Synchronization

/// A token bucket per key.
///
/// A bucket holds `burst` calls and refills at `rate` calls per second. Costs are hundredths of a call.
final class RateLimiter<Key: Hashable & Sendable>: Sendable {
  private struct State {
    /// When each bucket is full again. Full buckets may be missing. The key nil stands for all keys beyond the
    /// capacity.
    var fullAt: [Key?: ContinuousClock.Instant] = [:]
    var sizeBeforePurge = RateLimiter.leastPurge
    /// The time of the last purge; the next comes at least a second later.
    var purgedAt: ContinuousClock.Instant?
  }

  private static var leastPurge: Int { 1_024 }
  /// The maximum number of keys with a bucket of their own, about 10 MiB. All other keys share one bucket.
  static var capacity: Int { 100_000 }

  private let perHundredth: Duration
  private let burst: Duration
  private let now: @Sendable () -> ContinuousClock.Instant
  private let state = Mutex(State())

  init(_ limit: PeerLimit, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
    perHundredth = .seconds(1 / limit.rate) / 100
    burst = perHundredth * (100 * limit.burst)
    self.now = now
  }

  /// Takes `cost` hundredths, at least 1, out of the bucket of `key`. Returns nil, or the time until the bucket holds
  /// enough; then nothing was taken.
  func take(_ cost: Int = 100, of key: Key) -> Duration? {
    let time = now()
    return state.withLock { state in
      var key: Key? = key
      if state.fullAt[key] == nil {
        Self.makeRoom(in: &state, time)
        if state.fullAt.count >= Self.capacity { key = nil }
      }
      let fullAt = max(state.fullAt[key] ?? time, time) + perHundredth * cost
      let excess = fullAt - time - burst
      if excess > .zero { return excess }
      state.fullAt[key] = fullAt
      return nil
    }
  }

  /// Refunds a call that turned out to be free. The shared bucket is not refunded.
  func giveBack(_ cost: Int = 100, to key: Key) {
    state.withLock { state in
      guard let fullAt = state.fullAt[key] else { return }
      state.fullAt[key] = fullAt - perHundredth * cost
    }
  }

  /// Removes full buckets. Purges are rare enough that each new key costs little, even when there is nothing to remove.
  private static func makeRoom(in state: inout State, _ now: ContinuousClock.Instant) {
    guard state.fullAt.count >= state.sizeBeforePurge, state.purgedAt.map({ now - $0 >= .seconds(1) }) ?? true
    else { return }
    state.fullAt = state.fullAt.filter { $0.value > now }
    state.sizeBeforePurge = min(max(leastPurge, 2 * state.fullAt.count), capacity)
    state.purgedAt = now
  }

  /// The number of keys with a bucket of their own.
  var count: Int { state.withLock { $0.fullAt.count } }
}
