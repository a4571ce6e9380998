import Primitives
import UserDomain

/// The tokens that a thread has seen last, as they came: to compare one with what it is likely to be is cheaper than its
/// digest. A value without locks or clocks.
///
/// Each has a place that its last bytes say, which belong to its signature, and keeps it until another comes to that place
/// or the keys change. So few tokens are in memory in the clear, as those of open connections are in their header tables.
struct RecentTokens {
  private struct Entry {
    let token: [UInt8]
    let claims: AccessTokenClaims
  }

  private static let places = 16
  private static let suffix = 8

  private var entries = [Entry?](repeating: nil, count: places)

  /// What the token says, or nil if it is not among them. Takes the same time for every token of its length that is not
  /// the one in its place.
  func claims(for token: UnsafeRawBufferPointer) -> AccessTokenClaims? {
    guard let place = Self.place(of: token), let entry = entries[place],
      entry.token.withUnsafeBytes({ isEqualInConstantTime($0, token) })
    else { return nil }
    return entry.claims
  }

  mutating func insert(_ claims: AccessTokenClaims, for token: UnsafeRawBufferPointer) {
    guard let place = Self.place(of: token) else { return }
    entries[place] = Entry(token: Array(token), claims: claims)
  }

  mutating func removeAll() {
    entries = Array(repeating: nil, count: Self.places)
  }

  /// nil for what is too short to be a token.
  private static func place(of token: UnsafeRawBufferPointer) -> Int? {
    guard token.count >= suffix else { return nil }
    let end = token.loadUnaligned(fromByteOffset: token.count - suffix, as: UInt64.self)
    // Letters and digits differ in their lower bits: a multiplication carries all of them to the upper ones.
    return Int(truncatingIfNeeded: (end &* 0x9e37_79b9_7f4a_7c15) >> 60)
  }
}
