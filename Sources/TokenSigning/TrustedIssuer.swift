import Foundation
import Primitives
import UserDomain

/// An issuer whose tokens are believed, and which of them.
struct TrustedIssuer: Sendable {
  /// What `iss` must be.
  let name: String
  /// What must be in `aud`.
  let audience: String
  /// The algorithms that may be used.
  let algorithms: Set<SignatureAlgorithm>
  /// The keys; without one no token is believed.
  let keys: [VerificationKey]
  /// What its tokens may be and say; nil for this service itself: only then do the claims `sid`, `epoch` and `jti` mean
  /// what they mean here.
  let rules: OutsideTokenRules?

  /// How far clocks may differ (RFC 7519 §4.1.4).
  static let leeway: Duration = .seconds(30)

  private var isOwn: Bool { rules == nil }

  /// What `token` says, if this issuer has signed it and it is good at `now`.
  ///
  /// - Throws: `UserError.unauthenticated`, `unknownKey` if the issuer may have another key by now.
  func verify(_ token: UnverifiedToken, now: Timestamp) throws(UserError) -> AccessTokenClaims {
    // Extensions that must be understood are not (RFC 7515 §4.1.11).
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
    // A token that does not say when it was given, or says a time to come, is as good as given now.
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

  /// The one key that the header names, for its algorithm. A header without a key id will do where there is
  /// only one key for the algorithm.
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
