import Crypto
import UserDomain

/// The verified-token cache: claims by the digest of their token, so that no token is verified twice. A value without
/// locks or clocks.
///
/// It holds at most twice `capacity` tokens. When the young half is full, it becomes the old half, and the former old
/// half is dropped. A token that is used moves to the young half, so tokens in use stay.
struct TokenCache {
  /// The SHA-256 of a token and the scheme in front of it. Only ``RecentTokens`` keeps tokens themselves.
  struct Key: Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Creates the key of a token in UTF-8.
    init(_ token: UnsafeRawBufferPointer) {
      let digest = SHA256.hash(data: token)
      words = digest.withUnsafeBytes { bytes in
        // A SHA-256 digest has 32 bytes.
        bytes.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self)
      }
    }

    static func == (left: Key, right: Key) -> Bool { left.words == right.words }

    func hash(into hasher: inout Hasher) {
      // Digests are uniformly distributed, and clients cannot choose them.
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

  /// Returns the claims of the token, or nil if it is not cached.
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
