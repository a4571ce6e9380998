import GRPCCore
public import UserDomain

/// Decides whether a caller may call a method: by its bearer token (RFC 6750 §2.1, in gRPC's metadata), and
/// by how often its address has called.
public struct Authorizer: Sendable {
  private enum Policy {
    case off
    case on(AccessRules)
  }

  private let policy: Policy

  /// Authentication is off: every caller is `Principal.unrestricted`, and no token is looked at.
  public static let off = Authorizer(policy: .off)

  private init(policy: Policy) {
    self.policy = policy
  }

  /// Authentication is on.
  ///
  /// - Parameters:
  ///   - verifier: checks tokens.
  ///   - revocations: the tokens that were revoked.
  ///   - reflectionIsPublic: whether server reflection needs no token.
  ///   - peerLimit: how often one address may make calls that need no token and cost much, and present tokens that are
  ///     invalid; nil for no limit.
  ///   - refreshKeys: lets the verifier learn of keys that were made a moment ago. It limits its own rate.
  public init(
    verifier: any AccessTokenVerifier, revocations: RevocationList, reflectionIsPublic: Bool,
    peerLimit: PeerLimit?, refreshKeys: @escaping @Sendable () async -> Void = {}
  ) {
    policy = .on(
      AccessRules(
        table: MethodAccessTable(reflectionIsPublic: reflectionIsPublic),
        limiter: peerLimit.map { PeerLimiter($0) }, verifier: verifier, revocations: revocations,
        refreshKeys: refreshKeys))
  }

  /// What decides who may call `method`. A method that is missing in the table is closed.
  func gate(of method: MethodDescriptor) -> MethodGate {
    switch policy {
    case .off: .open
    case .on(let access): access.table[method].map { .guarded($0, access) } ?? .closed
    }
  }

  /// Reads the keys of issuers again, for a token whose key is unknown.
  func refreshKeys() async {
    if case .on(let access) = policy { await access.refreshKeys() }
  }
}
