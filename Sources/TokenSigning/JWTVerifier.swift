import Foundation
import Primitives
import Synchronization
public import UserDomain

/// Checks access tokens that are JWTs: the service's own, and those of an outside issuer.
///
/// Which keys and algorithms count is decided by who is trusted, never by the token: its header only chooses
/// among them (RFC 8725 §3.1). Verified tokens are remembered until they expire or the keys change, by each
/// thread for itself: event loops that shared a lock for each call would wait for each other's caches.
public final class JWTVerifier: AccessTokenVerifier {
  /// Half of the tokens that a thread remembers, at most; 16,384 of them take a few MiB.
  static let cacheCapacity = 8_192

  private struct Trust {
    var issuers: [TrustedIssuer] = []
    /// Counts the changes of the issuers.
    var generation = 0
  }

  /// What one thread remembers, or a few of them.
  private final class Memory: Sendable {
    struct State {
      var cache = TokenCache(capacity: cacheCapacity)
      var recent = RecentTokens()
      /// The generation of the issuers who have signed what is in the cache.
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
  /// 64, so that few threads share one.
  private let memories = (0..<64).map { _ in Memory() }
  private let clock: @Sendable () -> Timestamp

  /// A verifier that trusts nobody yet.
  public init(clock: @escaping @Sendable () -> Timestamp = { .now }) {
    self.clock = clock
  }

  /// Believes this issuer from now on, in place of the one with the same name, if there was one.
  func trust(_ issuer: TrustedIssuer) {
    trust.withLock { trust in
      trust.issuers.removeAll { $0.name == issuer.name }
      trust.issuers.append(issuer)
      trust.generation += 1
      // Under the lock, so that of two changes the later one is here the later one too.
      for memory in memories {
        memory.state.withLock { state in
          state.removeAll()
          state.generation = trust.generation
        }
      }
    }
  }

  public func known(authorization: UnsafeRawBufferPointer) -> AccessTokenClaims? {
    guard let known = memory.state.withLock({ $0.claims(for: authorization) }), clock() < known.expiresAt
    else { return nil }
    return known
  }

  public func verify(
    authorization: String, admitCheck: () throws(UserError) -> Void
  ) throws(UserError) -> AccessTokenClaims {
    let now = clock()
    let memory = self.memory
    var header = authorization
    if let known = header.withUTF8({ bytes in
      memory.state.withLock { $0.claims(for: UnsafeRawBufferPointer(bytes)) }
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
    memory.state.withLock { state in
      // Not what was verified with keys that have gone meanwhile.
      if state.generation == generation { state.cache.insert(claims, for: key) }
    }
    return claims
  }

  /// The calling thread's.
  private var memory: Memory { memories[ThreadNumber.current % memories.count] }

  private static func token(in authorization: String) throws(UserError) -> String {
    let scheme = "bearer "
    // The scheme's letter case does not matter (RFC 9110 §11.1).
    guard authorization.utf8.count > scheme.utf8.count,
      zip(authorization.utf8, scheme.utf8).allSatisfy({ $0 == $1 || $0 | 0x20 == $1 })
    else { throw .unauthenticated(.malformed) }
    return String(authorization.utf8.dropFirst(scheme.utf8.count)) ?? ""
  }
}
