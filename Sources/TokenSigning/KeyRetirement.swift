import Foundation

/// The ends of the service's retired keys, by a monotonic clock. The wall clock alone would trust a key for as long as
/// the clock is set back. A value without clocks or locks.
struct KeyRetirement {
  /// The deadlines by key and end: a rotation that changes a key's end starts a new deadline.
  private var deadlines: [KeyRing.Key: Duration] = [:]

  /// Returns the trusted keys of `ring`. Tokens are also checked against the wall clock at each call.
  ///
  /// - Parameters:
  ///   - now: the wall clock, which decides how long a newly seen key is valid.
  ///   - uptime: the time since any fixed moment.
  mutating func believed(of ring: KeyRing, now: Date, uptime: Duration) -> [KeyRing.Key] {
    deadlines = deadlines.filter { ring.keys.contains($0.key) }
    return ring.keys.filter { key in
      guard let remaining = ring.remainingTrust(in: key, at: now) else { return true }
      if let deadline = deadlines[key] { return uptime < deadline }
      // No deadline is set: the clock may be ahead now, and a later call decides again.
      guard remaining > .zero else { return false }
      deadlines[key] = uptime + remaining
      return true
    }
  }
}
