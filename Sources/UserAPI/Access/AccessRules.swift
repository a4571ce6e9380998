import GRPCCore
import UserDomain

/// What is known of a call's token.
enum Credential<Bearer> {
  /// There is none.
  case absent
  /// It is valid.
  case valid(Bearer)
  /// It is invalid, or may not be checked now.
  case invalid(UserError)
  /// A more thorough check has to tell.
  case unknown
}

/// What an ``Authorizer`` goes by while authentication is on.
final class AccessRules: Sendable {
  let table: MethodAccessTable
  /// Limits calls that need no token; nil for no limit.
  let limiter: PeerLimiter?
  let refreshKeys: @Sendable () async -> Void
  private let verifier: any AccessTokenVerifier
  private let revocations: RevocationList

  init(
    table: MethodAccessTable, limiter: PeerLimiter?, verifier: any AccessTokenVerifier,
    revocations: RevocationList, refreshKeys: @escaping @Sendable () async -> Void
  ) {
    self.table = table
    self.limiter = limiter
    self.verifier = verifier
    self.revocations = revocations
    self.refreshKeys = refreshKeys
  }

  /// The bearer of the token in `authorization`, if it was seen before and is valid.
  func knownPrincipal(_ authorization: UnsafeRawBufferPointer) -> Principal? {
    guard let claims = verifier.known(authorization: authorization), !revocations.isRevoked(claims) else {
      return nil
    }
    return claims.principal
  }

  /// Checks the token in `metadata`, which `peer` has presented.
  func credential(
    in metadata: Metadata, from peer: String, keysAreFresh: Bool
  ) -> Credential<BearerToken> {
    var values = metadata[stringValues: "authorization"].makeIterator()
    guard let header = values.next() else { return .absent }
    guard values.next() == nil else { return .invalid(.unauthenticated(.malformed)) }
    do throws(UserError) {
      return .valid(try token(header, from: peer))
    } catch .unauthenticated(.unknownKey) where !keysAreFresh {
      // The key may be newer than the last look at the key files.
      return .unknown
    } catch {
      return .invalid(error)
    }
  }

  /// The check of a token that was not seen before counts, until the token has turned out to be valid.
  private func token(_ header: String, from peer: String) throws(UserError) -> BearerToken {
    var isCounted = false
    let claims = try verifier.verify(authorization: header) { () throws(UserError) in
      try limiter?.admitTokenCheck(peer)
      isCounted = true
    }
    if isCounted { limiter?.tokenWasValid(peer) }
    return try BearerToken(header, claims, verifier: verifier, revocations: revocations)
  }
}
