import Foundation
import UserDomain

/// Whose tokens are believed, and which of them.
struct TrustedIssuer: Sendable {
  /// What `iss` must be.
  let name: String
  /// What must be in `aud`.
  let audience: String
  /// The algorithms that may be used.
  let algorithms: Set<SignatureAlgorithm>
  /// The keys.
  let keys: [VerificationKey]
  /// Whether it is this service: only then do the claims `sid` and `epoch` mean what they mean here.
  let isOwn: Bool

  /// How far clocks may differ (RFC 7519 §4.1.4).
  static let leeway: Duration = .seconds(30)

  /// What `token` says, if this issuer has signed it and it is good at `now`.
  ///
  /// - Throws: `UserError.unauthenticated`.
  func verify(_ token: UnverifiedToken, now: Timestamp) throws(UserError) -> AccessTokenClaims {
    // Extensions that must be understood are not (RFC 7515 §4.1.11), and other kinds of JWT are no access
    // tokens (RFC 8725 §3.11).
    guard token.header.crit == nil,
      ["jwt", "at+jwt", "application/at+jwt", nil].contains(token.header.typ?.lowercased()),
      let key = key(for: token.header), key.retiresAt.map({ now < $0 }) ?? true,
      key.verify(token.signature, signs: token.signed)
    else { throw .unauthenticated(.untrusted) }
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
    return AccessTokenClaims(
      principal: Principal(
        subject: claims.sub,
        scopes: Scopes(names: (claims.scope?.strings ?? []).flatMap { $0.split(separator: " ") })),
      issuedAt: claims.iat.flatMap { Timestamp(numericDate: $0) }, expiresAt: end,
      session: isOwn
        ? claims.sid?.value.flatMap { Base64URL.decode($0) }.flatMap { SessionID(bytes: $0) } : nil,
      epoch: isOwn ? claims.epoch?.value : nil)
  }

  /// The one key that the header names, for its algorithm. A header without a key id will do where there is
  /// only one key for the algorithm.
  private func key(for header: UnverifiedToken.Header) -> VerificationKey? {
    guard let algorithm = SignatureAlgorithm(name: header.alg), algorithms.contains(algorithm) else {
      return nil
    }
    let candidates = keys.filter { $0.algorithm == algorithm && (header.kid == nil || $0.id == header.kid) }
    return candidates.count == 1 ? candidates[0] : nil
  }
}
