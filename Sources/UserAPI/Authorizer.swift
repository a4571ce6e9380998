import GRPCCore
public import UserDomain

/// Decides whether a caller may call a method: by its bearer token (RFC 6750 §2.1, in gRPC's metadata), and
/// by how often its address has called.
public final class Authorizer: Sendable {
  private let gate: TokenGate
  private let table: MethodAccessTable
  private let peers: PeerLimiter?

  /// The rules of a service.
  ///
  /// - Parameters:
  ///   - verifier: checks tokens.
  ///   - revocations: which of them have ended before their time.
  ///   - reflectionIsPublic: whether server reflection needs no token.
  ///   - peerLimit: how often one address may call CreateUser and SignIn; nil for as often as it likes.
  public init(
    verifier: any AccessTokenVerifier, revocations: RevocationList, reflectionIsPublic: Bool,
    peerLimit: PeerLimit?
  ) {
    gate = TokenGate(verifier: verifier, revocations: revocations)
    table = MethodAccessTable(reflectionIsPublic: reflectionIsPublic)
    peers = peerLimit.map { PeerLimiter($0) }
  }

  /// Who may call `method`; nil for nobody.
  func access(to method: MethodDescriptor) -> MethodAccess? { table[method] }

  /// What the caller may do, if it may call `method` at all.
  ///
  /// - Throws: `UserError.unauthenticated`, `.permissionDenied`, `.peerLimitExceeded`.
  func authorize(
    _ metadata: Metadata, method: MethodDescriptor, peer: String, record: CallRecord?
  ) throws(UserError) -> CallAuthorization {
    guard let access = access(to: method) else { throw .permissionDenied(missing: []) }
    if access == .everybody {
      // A token makes a difference to the limit only, and one that is no good makes none.
      guard let peers, PeerLimiter.covers(method) else { return .init(principal: .anonymous) }
      let caller = (try? authorization(metadata, record)) ?? CallAuthorization(principal: .anonymous)
      // Whoever may write users is a service that calls for many people.
      if !caller.principal.scopes.contains(.usersWrite) { try peers.admit(peer) }
      return caller
    }
    let caller = try authorization(metadata, record)
    try access.admit(caller.principal)
    return caller
  }

  /// Who calls, if its token was seen before and is still good, and `access` permits it: without the check of
  /// a signature, which would take an event loop's time. nil says nothing: ``authorize`` has to be asked.
  func authorizeKnown(
    _ authorization: UnsafeRawBufferPointer, for access: MethodAccess, record: CallRecord?
  ) -> Principal? {
    guard let principal = gate.admitKnown(authorization) else { return nil }
    do { try access.admit(principal) } catch { return nil }
    record?.principal = principal
    return principal
  }

  /// Whether everybody may call `method`, each peer as often as the limit says: ``admitsKnown`` is for such methods.
  func isForEveryPeer(_ method: MethodDescriptor) -> Bool {
    access(to: method) == .everybody && PeerLimiter.covers(method)
  }

  /// Whether `peer` may call a method that ``isForEveryPeer``, now that it has called so often; then the call is
  /// counted. Its token, if it has one, was seen before and is still good. `false` says nothing: ``authorize`` has to be
  /// asked, and nothing was counted.
  func admitsKnown(_ authorization: UnsafeRawBufferPointer?, of peer: String, record: CallRecord?) -> Bool {
    guard let peers else { return true }
    if let authorization {
      guard let principal = gate.admitKnown(authorization) else { return false }
      record?.principal = principal
      if principal.scopes.contains(.usersWrite) { return true }
    }
    do { try peers.admit(peer) } catch { return false }
    return true
  }

  private func authorization(_ metadata: Metadata, _ record: CallRecord?) throws(UserError)
    -> CallAuthorization
  {
    var values = metadata[stringValues: "authorization"].makeIterator()
    guard let header = values.next() else { throw .unauthenticated(.missing) }
    guard values.next() == nil else { throw .unauthenticated(.malformed) }
    let caller = try CallAuthorization(header: header, gate: gate)
    // Known from here on, whether it may call or not.
    record?.principal = caller.principal
    return caller
  }
}
