import Primitives
import UserDomain

/// The tokens that a thread saw last, in the clear: comparing a token with a likely one is cheaper than hashing it. A
/// value without locks or clocks.
///
/// A token's slot is chosen by its last bytes, which belong to its signature. It keeps the slot until another token
/// takes it, or the keys change. So few tokens are in memory in the clear, like those in the header tables of open
/// connections.
struct RecentTokens {
  private struct Entry {
    let token: [UInt8]
    let claims: AccessTokenClaims
  }

  private static let places = 16
  private static let suffix = 8

  private var entries = [Entry?](repeating: nil, count: places)

  /// Returns the claims of the token, or nil if it is not in its slot. The comparison takes the same time for every
  /// other token of its length.
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

  /// Returns the slot of a token; nil for text too short to be a token.
  private static func place(of token: UnsafeRawBufferPointer) -> Int? {
    guard token.count >= suffix else { return nil }
    let end = token.loadUnaligned(fromByteOffset: token.count - suffix, as: UInt64.self)
    // Letters and digits differ in their lower bits. The multiplication carries all of them to the upper bits.
    return Int(truncatingIfNeeded: (end &* 0x9e37_79b9_7f4a_7c15) >> 60)
  }
}
