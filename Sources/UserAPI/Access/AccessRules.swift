import GRPCCore
import UserDomain

/// The result of checking a call's token.
enum Credential<Bearer> {
  /// The call has no token.
  case absent
  /// The token is valid.
  case valid(Bearer)
  /// The token is invalid, or a rate limit forbids checking it now.
  case invalid(UserError)
  /// The check cannot decide; another one must.
  case unknown(Lack)
}

/// The rules that an ``Authorizer`` applies while authentication is on.
final class AccessRules: Sendable {
  let table: MethodAccessTable
  /// Limits calls that need no token; nil for no limit.
  let limiter: PeerLimiter?
  let refreshKeys: @Sendable () async -> Void
  let refreshRevocations: (@Sendable () async -> Void)?
  private let verifier: any AccessTokenVerifier
  private let revocations: RevocationList

  init(
    table: MethodAccessTable, limiter: PeerLimiter?, verifier: any AccessTokenVerifier,
    revocations: RevocationList, refreshKeys: @escaping @Sendable () async -> Void,
    refreshRevocations: (@Sendable () async -> Void)?
  ) {
    self.table = table
    self.limiter = limiter
    self.verifier = verifier
    self.revocations = revocations
    self.refreshKeys = refreshKeys
    self.refreshRevocations = refreshRevocations
  }

  /// Returns the bearer of the token in `authorization` if the token is cached and valid, else nil.
  func knownPrincipal(_ authorization: UnsafeRawBufferPointer) -> Principal? {
    guard let claims = verifier.known(authorization: authorization), !revocations.isRevoked(claims) else {
      return nil
    }
    return claims.principal
  }

  /// Checks the token in `metadata` that `peer` presents.
  func credential(
    in metadata: Metadata, from peer: String, isRefreshed: Bool
  ) -> Credential<BearerToken> {
    var values = metadata[stringValues: "authorization"].makeIterator()
    guard let header = values.next() else { return .absent }
    guard values.next() == nil else { return .invalid(.unauthenticated(.malformed)) }
    do throws(UserError) {
      return try credential(header, from: peer, isRefreshed: isRefreshed)
    } catch .unauthenticated(.unknownKey) where !isRefreshed {
      return .unknown(.keys)
    } catch {
      return .invalid(error)
    }
  }

  /// Checks a token. A token that is not cached takes from the rate limit, which a valid token gives back.
  private func credential(
    _ header: String, from peer: String, isRefreshed: Bool
  ) throws(UserError) -> Credential<BearerToken> {
    var isCounted = false
    let claims = try verifier.verify(authorization: header) { () throws(UserError) in
      try limiter?.admitTokenCheck(peer)
      isCounted = true
    }
    if isCounted { limiter?.tokenWasValid(peer) }
    do throws(UserError) {
      return .valid(try BearerToken(header, claims, verifier: verifier, revocations: revocations))
    } catch {
      let mayChange = !isRefreshed && refreshRevocations != nil && revocations.mayBeBehind(claims)
      if mayChange { return .unknown(.revocations) }
      throw error
    }
  }
}
