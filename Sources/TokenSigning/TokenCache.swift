import Crypto
import UserDomain

/// Tokens that were verified, by their digests, so that none is verified twice. A value without locks or
/// clocks.
///
/// It holds at most twice `capacity` tokens: when the young half is full it becomes the old half, and what
/// was the old half is forgotten. A token that is used moves to the young half, so those in use stay.
struct TokenCache {
  /// SHA-256 of a token, and of the scheme in front of it: the tokens themselves are not kept, but for the
  /// ``RecentTokens``.
  struct Key: Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Of a token in UTF-8.
    init(_ token: UnsafeRawBufferPointer) {
      let digest = SHA256.hash(data: token)
      words = digest.withUnsafeBytes { bytes in
        // 32 bytes.
        bytes.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self)
      }
    }

    static func == (left: Key, right: Key) -> Bool { left.words == right.words }

    func hash(into hasher: inout Hasher) {
      // Uniformly distributed, and nobody can choose them.
      hasher.combine(words.0)
    }
  }

  private let capacity: Int
  private var young: [Key: AccessTokenClaims] = [:]
  private var old: [Key: AccessTokenClaims] = [:]

  init(capacity: Int) {
    self.capacity = max(capacity, 1)
  }

  var count: Int { young.count + old.count }

  /// What the token says, or nil if it is not known.
  mutating func claims(for key: Key) -> AccessTokenClaims? {
    if let claims = young[key] { return claims }
    guard let claims = old.removeValue(forKey: key) else { return nil }
    insert(claims, for: key)
    return claims
  }

  mutating func insert(_ claims: AccessTokenClaims, for key: Key) {
    if young.count >= capacity {
      old = young
      young = [:]
    }
    young[key] = claims
  }

  mutating func removeAll() {
    young = [:]
    old = [:]
  }
}
