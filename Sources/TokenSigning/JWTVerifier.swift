import Foundation
import Synchronization
public import UserDomain

/// Checks access tokens that are JWTs: the service's own, and those of an outside issuer.
///
/// Which keys and algorithms count is decided by who is trusted, never by the token: its header only chooses
/// among them (RFC 8725 §3.1). Verified tokens are remembered until they expire or the keys change.
public final class JWTVerifier: AccessTokenVerifier {
  /// Half of the tokens that are remembered, at most; 16,384 of them take a few MiB.
  static let cacheCapacity = 8_192

  private struct State {
    var issuers: [TrustedIssuer] = []
    var cache = TokenCache(capacity: cacheCapacity)
    /// Counts the changes of the issuers.
    var generation = 0
  }

  private let state = Mutex(State())
  private let clock: @Sendable () -> Timestamp

  /// A verifier that trusts nobody yet.
  public init(clock: @escaping @Sendable () -> Timestamp = { .now }) {
    self.clock = clock
  }

  /// Believes this issuer from now on, in place of the one with the same name, if there was one.
  func trust(_ issuer: TrustedIssuer) {
    state.withLock { state in
      state.issuers.removeAll { $0.name == issuer.name }
      state.issuers.append(issuer)
      state.cache.removeAll()
      state.generation += 1
    }
  }

  public func verify(authorization: String) throws(UserError) -> AccessTokenClaims {
    let key = TokenCache.Key(authorization)
    let now = clock()
    let (known, issuers, generation) = state.withLock { state in
      (state.cache.claims(for: key), state.issuers, state.generation)
    }
    if let known {
      guard now < known.expiresAt else { throw .unauthenticated(.expired) }
      return known
    }
    let unverified = try UnverifiedToken(try Self.token(in: authorization))
    guard let issuer = issuers.first(where: { $0.name == unverified.claims.iss }) else {
      throw .unauthenticated(.untrusted)
    }
    let claims = try issuer.verify(unverified, now: now)
    state.withLock { state in
      // Not what was verified with keys that have gone meanwhile.
      if state.generation == generation { state.cache.insert(claims, for: key) }
    }
    return claims
  }

  private static func token(in authorization: String) throws(UserError) -> String {
    let scheme = "bearer "
    // The scheme's letter case does not matter (RFC 9110 §11.1).
    guard authorization.utf8.count > scheme.utf8.count,
      zip(authorization.utf8, scheme.utf8).allSatisfy({ $0 == $1 || $0 | 0x20 == $1 })
    else { throw .unauthenticated(.malformed) }
    return String(authorization.utf8.dropFirst(scheme.utf8.count)) ?? ""
  }
}
