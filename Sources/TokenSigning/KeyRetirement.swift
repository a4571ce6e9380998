import Foundation

/// When the service stops to believe its retired keys, counted by a monotonic clock. The wall clock alone would trust a
/// key for as long as it is set back. A value without clocks or locks.
struct KeyRetirement {
  /// By the key with its end: a rotation that gives it another end begins anew.
  private var deadlines: [KeyRing.Key: Duration] = [:]

  /// Returns the keys of `ring` that are believed. What the wall clock says at each call comes on top of it.
  ///
  /// - Parameters:
  ///   - now: the wall clock, which says how long a key that is seen for the first time is good.
  ///   - uptime: time since any moment that stays the same.
  mutating func believed(of ring: KeyRing, now: Date, uptime: Duration) -> [KeyRing.Key] {
    deadlines = deadlines.filter { ring.keys.contains($0.key) }
    return ring.keys.filter { key in
      guard let remaining = ring.remainingTrust(in: key, at: now) else { return true }
      if let deadline = deadlines[key] { return uptime < deadline }
      // Looked at again later: the clock may be ahead now.
      guard remaining > .zero else { return false }
      deadlines[key] = uptime + remaining
      return true
    }
  }
}
