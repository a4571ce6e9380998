import Foundation
import Primitives
import Synchronization
public import UserDomain

/// Verifies access tokens that are JWTs: the service's own, and those of an outside issuer.
///
/// The trusted issuers decide which keys and algorithms count; a token's header only chooses among them (RFC 8725
/// §3.1). Verified tokens are cached until they expire or the keys change. Each thread has its own cache: a shared lock
/// would make event loops wait for each other.
public final class JWTVerifier: AccessTokenVerifier {
  /// The capacity of each half of a thread's cache; 16,384 tokens take a few MiB.
  static let cacheCapacity = 8_192

  private struct Trust {
    var issuers: [TrustedIssuer] = []
    /// The number of changes of the issuers.
    var generation = 0
  }

  /// The cache of one thread, or of a few.
  private final class ThreadCache: Sendable {
    struct State {
      var cache = TokenCache(capacity: cacheCapacity)
      var recent = RecentTokens()
      /// The generation of the issuers that signed the cached tokens.
      var generation = 0

      mutating func claims(for token: UnsafeRawBufferPointer) -> AccessTokenClaims? {
        if let claims = recent.claims(for: token) { return claims }
        guard let claims = cache.claims(for: TokenCache.Key(token)) else { return nil }
        recent.insert(claims, for: token)
        return claims
      }

      mutating func removeAll() {
        cache.removeAll()
        recent.removeAll()
      }
    }

    let state = Mutex(State())
  }

  private let trust = Mutex(Trust())
  /// 64 caches, so that few threads share one.
  private let caches = (0..<64).map { _ in ThreadCache() }
  private let clock: @Sendable () -> Timestamp

  /// Creates a verifier that trusts no issuer yet.
  public init(clock: @escaping @Sendable () -> Timestamp = { .now }) {
    self.clock = clock
  }

  /// Trusts this issuer, in place of an earlier one with the same name.
  func trust(_ issuer: TrustedIssuer) {
    trust.withLock { trust in
      trust.issuers.removeAll { $0.name == issuer.name }
      trust.issuers.append(issuer)
      trust.generation += 1
      // Done under the lock, so that concurrent changes reach the caches in order.
      for cache in caches {
        cache.state.withLock { state in
          state.removeAll()
          state.generation = trust.generation
        }
      }
    }
  }

  public func known(authorization: UnsafeRawBufferPointer) -> AccessTokenClaims? {
    guard let known = threadCache.state.withLock({ $0.claims(for: authorization) }), clock() < known.expiresAt
    else { return nil }
    return known
  }

  public func verify(
    authorization: String, admitCheck: () throws(UserError) -> Void
  ) throws(UserError) -> AccessTokenClaims {
    let now = clock()
    let threadCache = self.threadCache
    var header = authorization
    if let known = header.withUTF8({ bytes in
      threadCache.state.withLock { $0.claims(for: UnsafeRawBufferPointer(bytes)) }
    }) {
      guard now < known.expiresAt else { throw .unauthenticated(.expired) }
      return known
    }
    let token = try Self.token(in: authorization)
    try admitCheck()
    let unverified = try UnverifiedToken(token)
    let (issuers, generation) = trust.withLock { ($0.issuers, $0.generation) }
    guard let issuer = issuers.first(where: { $0.name == unverified.claims.iss }) else {
      throw .unauthenticated(.untrusted)
    }
    let claims = try issuer.verify(unverified, now: now)
    let key = header.withUTF8 { TokenCache.Key(UnsafeRawBufferPointer($0)) }
    threadCache.state.withLock { state in
      // Tokens verified with keys that were removed meanwhile are not cached.
      if state.generation == generation { state.cache.insert(claims, for: key) }
    }
    return claims
  }

  /// The calling thread's cache.
  private var threadCache: ThreadCache { caches[ThreadNumber.current % caches.count] }

  private static func token(in authorization: String) throws(UserError) -> String {
    let scheme = "bearer "
    // The scheme's letter case does not matter (RFC 9110 §11.1).
    guard authorization.utf8.count > scheme.utf8.count,
      zip(authorization.utf8, scheme.utf8).allSatisfy({ $0 == $1 || $0 | 0x20 == $1 })
    else { throw .unauthenticated(.malformed) }
    return String(authorization.utf8.dropFirst(scheme.utf8.count)) ?? ""
  }
}
