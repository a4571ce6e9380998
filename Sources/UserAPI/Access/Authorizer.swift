import GRPCCore
public import UserDomain

/// Decides whether a caller may call a method, by its bearer token (RFC 6750 §2.1, in gRPC's metadata) and its
/// network's rate limit.
public struct Authorizer: Sendable {
  private enum Policy {
    case off
    case on(AccessRules)
  }

  private let policy: Policy

  /// Turns authentication off: every caller is `Principal.unrestricted`, and tokens are ignored.
  public static let off = Authorizer(policy: .off)

  private init(policy: Policy) {
    self.policy = policy
  }

  /// Turns authentication on.
  ///
  /// - Parameters:
  ///   - verifier: checks tokens.
  ///   - revocations: the revoked tokens.
  ///   - reflectionIsPublic: whether server reflection needs no token.
  ///   - peerLimit: the rate limit of a network for expensive calls without a token, and for invalid tokens; nil for no
  ///     limit.
  ///   - refreshKeys: loads keys that the verifier does not know yet. It limits its own rate.
  ///   - refreshRevocations: brings `revocations` up to date with other processes, and limits its own rate; nil where no
  ///     other process can make a token valid.
  public init(
    verifier: any AccessTokenVerifier, revocations: RevocationList, reflectionIsPublic: Bool,
    peerLimit: PeerLimit?, refreshKeys: @escaping @Sendable () async -> Void = {},
    refreshRevocations: (@Sendable () async -> Void)? = nil
  ) {
    policy = .on(
      AccessRules(
        table: MethodAccessTable(reflectionIsPublic: reflectionIsPublic),
        limiter: peerLimit.map { PeerLimiter($0) }, verifier: verifier, revocations: revocations,
        refreshKeys: refreshKeys, refreshRevocations: refreshRevocations))
  }

  /// Returns the gate of `method`. A method missing from the table is closed to every caller.
  func gate(of method: MethodDescriptor) -> MethodGate {
    switch policy {
    case .off: .open
    case .on(let access): access.table[method].map { .guarded($0, access) } ?? .closed
    }
  }

  /// Gets what a check has lacked: reads the issuers' keys again, or what other processes have revoked.
  func refresh(_ lack: Lack) async {
    guard case .on(let access) = policy else { return }
    switch lack {
    case .signature: break
    case .keys: await access.refreshKeys()
    case .revocations: await access.refreshRevocations?()
    }
  }
}
