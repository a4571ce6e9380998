import Synchronization

/// A token bucket for each key.
///
/// A bucket holds `burst` calls and is filled with `rate` calls a second. Costs are hundredths of a call.
final class RateLimiter<Key: Hashable & Sendable>: Sendable {
  private struct State {
    /// When each bucket will be full again. One that is full may be missing. nil is the key of all that find no room.
    var fullAt: [Key?: ContinuousClock.Instant] = [:]
    var sizeBeforePurge = RateLimiter.leastPurge
    /// The next purge comes no sooner.
    var purgedAt: ContinuousClock.Instant?
  }

  private static var leastPurge: Int { 1_024 }
  /// Keys that are told apart, at most; about 10 MiB. Beyond that all others share one bucket.
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

  /// Takes `cost` hundredths, more than 0, out of the bucket of `key`. Returns nil, or how long to wait until there are
  /// so many, in which case nothing was taken.
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

  /// Gives back what was taken for a call that has turned out to cost nothing. What was taken from the bucket of all
  /// that find no room stays taken.
  func giveBack(_ cost: Int = 100, to key: Key) {
    state.withLock { state in
      guard let fullAt = state.fullAt[key] else { return }
      state.fullAt[key] = fullAt - perHundredth * cost
    }
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

  /// The number of keys that are told apart now.
  var count: Int { state.withLock { $0.fullAt.count } }
}
