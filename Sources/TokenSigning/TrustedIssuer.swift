import Foundation
import Primitives
import UserDomain

/// A trusted issuer, and the rules for its tokens.
struct TrustedIssuer: Sendable {
  /// The required `iss`.
  let name: String
  /// The required value in `aud`.
  let audience: String
  /// The allowed algorithms.
  let algorithms: Set<SignatureAlgorithm>
  /// The keys; without keys no token is trusted.
  let keys: [VerificationKey]
  /// The rules for its tokens; nil for this service itself. Only then do the claims `sid`, `epoch` and `jti` have their
  /// meaning here.
  let rules: OutsideTokenRules?

  /// The tolerated difference of clocks (RFC 7519 §4.1.4).
  static let leeway: Duration = .seconds(30)

  private var isOwn: Bool { rules == nil }

  /// Returns the claims of `token`, if this issuer signed it and it is valid at `now`.
  ///
  /// - Throws: `UserError.unauthenticated`: `unknownKey` if the issuer may have a newer key.
  func verify(_ token: UnverifiedToken, now: Timestamp) throws(UserError) -> AccessTokenClaims {
    // Critical extensions are not supported (RFC 7515 §4.1.11).
    guard token.header.crit == nil, (rules?.type ?? .accessToken).includes(token.header.typ) else {
      throw .unauthenticated(.untrusted)
    }
    let key = try key(for: token.header)
    guard key.retiresAt.map({ now < $0 }) ?? true, key.verify(token.signature, signs: token.signed) else {
      throw .unauthenticated(.untrusted)
    }
    let claims = token.claims
    guard claims.iss == name, claims.aud.strings.contains(audience) else {
      throw .unauthenticated(.untrusted)
    }
    guard (1...255).contains(claims.sub.utf8.count), let expiresAt = Timestamp(numericDate: claims.exp) else {
      throw .unauthenticated(.malformed)
    }
    if let notBefore = claims.nbf {
      guard let notBefore = Timestamp(numericDate: notBefore) else { throw .unauthenticated(.malformed) }
      guard notBefore <= now + Self.leeway else { throw .unauthenticated(.notYetValid) }
    }
    var end = expiresAt + Self.leeway
    guard now < end else { throw .unauthenticated(.expired) }
    if let retiresAt = key.retiresAt { end = min(end, retiresAt) }
    let issuedAt = claims.iat.flatMap { Timestamp(numericDate: $0) }
    // A token without a time of issue, or with one in the future, counts as issued now.
    if let rules, expiresAt > min(issuedAt ?? now, now) + rules.longestLifetime + Self.leeway {
      throw .unauthenticated(.untrusted)
    }
    return AccessTokenClaims(
      principal: Principal(
        subject: claims.sub,
        scopes: Scopes(names: (claims.scope?.strings ?? []).flatMap { $0.split(separator: " ") }),
        mayBeUser: rules?.mayBeUsers ?? true),
      issuedAt: issuedAt, expiresAt: end,
      session: isOwn
        ? claims.sid?.value.flatMap { Base64URL.decode($0) }.flatMap { SessionID(bytes: $0) } : nil,
      epoch: isOwn ? claims.epoch?.value : nil,
      tokenID: isOwn ? claims.jti?.value.flatMap { TokenID($0) } : nil)
  }

  /// Returns the one key that the header names, for its algorithm. Without a key id it must be the only key for the
  /// algorithm.
  private func key(for header: UnverifiedToken.Header) throws(UserError) -> VerificationKey {
    guard let algorithm = SignatureAlgorithm(name: header.alg), algorithms.contains(algorithm) else {
      throw .unauthenticated(.untrusted)
    }
    if let id = header.kid, !keys.contains(where: { $0.id == id }) { throw .unauthenticated(.unknownKey) }
    let candidates = keys.filter { $0.algorithm == algorithm && (header.kid == nil || $0.id == header.kid) }
    guard candidates.count == 1 else { throw .unauthenticated(.untrusted) }
    return candidates[0]
  }
}
