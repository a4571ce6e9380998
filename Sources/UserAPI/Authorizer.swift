import GRPCCore
public import UserDomain

/// Decides whether a caller may call a method: by its bearer token (RFC 6750 §2.1, in gRPC's metadata), and
/// by how often its address has called.
public final class Authorizer: Sendable {
  private let gate: TokenGate
  private let table: MethodAccessTable
  private let peers: PeerLimiter?
  /// Reads the keys of issuers again, for a token whose key is unknown.
  let refreshKeys: @Sendable () async -> Void

  /// The rules of a service.
  ///
  /// - Parameters:
  ///   - verifier: checks tokens.
  ///   - revocations: which of them have ended before their time.
  ///   - reflectionIsPublic: whether server reflection needs no token.
  ///   - peerLimit: how often one address may make calls that need no token and cost much, and present tokens that are
  ///     invalid; nil for no limit.
  ///   - refreshKeys: lets the verifier learn of keys that were made a moment ago. It limits its own rate.
  public init(
    verifier: any AccessTokenVerifier, revocations: RevocationList, reflectionIsPublic: Bool,
    peerLimit: PeerLimit?, refreshKeys: @escaping @Sendable () async -> Void = {}
  ) {
    peers = peerLimit.map { PeerLimiter($0) }
    gate = TokenGate(verifier: verifier, revocations: revocations, peers: peers)
    table = MethodAccessTable(reflectionIsPublic: reflectionIsPublic)
    self.refreshKeys = refreshKeys
  }

  /// Who may call `method`; nil for nobody.
  func access(to method: MethodDescriptor) -> MethodAccess? { table[method] }

  /// What the caller may do, if it may call `method` at all.
  ///
  /// - Parameter keysAreFresh: whether ``refreshKeys`` was called for this call.
  /// - Throws: `UserError.unauthenticated`, `.permissionDenied`, `.peerLimitExceeded`; `.unauthenticated(.unknownKey)`
  ///   before anything is counted, also where no token is needed unless `keysAreFresh`.
  func authorize(
    _ metadata: Metadata, method: MethodDescriptor, peer: String, record: CallRecord?, keysAreFresh: Bool
  ) throws(UserError) -> CallAuthorization {
    guard let access = access(to: method) else { throw .permissionDenied(missing: []) }
    guard access == .everybody else {
      let caller = try authorization(metadata, peer, record)
      try access.admit(caller.principal)
      return caller
    }
    let cost = table.cost(of: method)
    // A token makes a difference to the limit only, and one that is invalid makes none.
    guard peers != nil, cost != .nothing else { return CallAuthorization(peer: peer) }
    let caller: CallAuthorization
    do throws(UserError) {
      caller = try authorization(metadata, peer, record)
    } catch .unauthenticated(.unknownKey) where !keysAreFresh {
      throw .unauthenticated(.unknownKey)
    } catch .unauthenticated {
      caller = CallAuthorization(peer: peer, peers: peers)
    }
    try caller.admit(cost)
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

  /// What a call of `method` costs, if it needs no token and its rate is limited; nil otherwise. ``admitsKnown`` is for
  /// such methods.
  func costForEveryPeer(of method: MethodDescriptor) -> CallCost? {
    let cost = table.cost(of: method)
    return access(to: method) == .everybody && cost != .nothing ? cost : nil
  }

  /// Counts a call of `peer` whose cost ``costForEveryPeer`` gives, and returns whether it may be made. Its token is
  /// optional, and must be known and valid. `false` says nothing: nothing was counted, and ``authorize`` has to be asked.
  func admitsKnown(
    _ authorization: UnsafeRawBufferPointer?, of peer: String, _ cost: CallCost, record: CallRecord?
  ) -> Bool {
    guard let peers else { return true }
    if let authorization {
      guard let principal = gate.admitKnown(authorization) else { return false }
      record?.principal = principal
      if principal.isFreeOfPeerLimit { return true }
    }
    do { try peers.admit(peer, cost) } catch { return false }
    return true
  }

  private func authorization(
    _ metadata: Metadata, _ peer: String, _ record: CallRecord?
  ) throws(UserError) -> CallAuthorization {
    var values = metadata[stringValues: "authorization"].makeIterator()
    guard let header = values.next() else { throw .unauthenticated(.missing) }
    guard values.next() == nil else { throw .unauthenticated(.malformed) }
    let caller = try CallAuthorization(header: header, peer: peer, gate: gate, peers: peers)
    // Known from here on, whether it may call or not.
    record?.principal = caller.principal
    return caller
  }
}

extension Principal {
  /// Whether the limit for peers does not apply: a caller that may write all users is a service that calls for many
  /// people.
  var isFreeOfPeerLimit: Bool { scopes.contains(.usersWrite) }
}
