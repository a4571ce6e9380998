public import GRPCCore
public import UserDomain

/// Lets a call through to its handler if its bearer token permits it (RFC 6750 §2.1, in gRPC's metadata).
///
/// Authorisation comes before anything of the request is read (AIP-211): what only the request's message can
/// tell, whom it is about, the handler asks ``CallAuthorization``.
public struct AuthorizationInterceptor: ServerInterceptor {
  private let gate: TokenGate
  private let table: MethodAccessTable
  private let peers: PeerLimiter?

  /// The interceptor, which goes inside of ``ErrorInterceptor``.
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

  /// Runs the handler, if the caller may call it.
  public func intercept<Input: Sendable, Output: Sendable>(
    request: StreamingServerRequest<Input>, context: ServerContext,
    next:
      @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
      StreamingServerResponse<Output>
  ) async throws -> StreamingServerResponse<Output> {
    try await CallAuthorization.$current.withValue(try authorize(request.metadata, context)) {
      try await next(request, context)
    }
  }

  private func authorize(_ metadata: Metadata, _ context: ServerContext) throws(UserError)
    -> CallAuthorization
  {
    switch table[context.descriptor] {
    case .everybody:
      // A token makes a difference to the limit only, and one that is no good makes none.
      guard let peers, PeerLimiter.covers(context.descriptor) else { return .init(principal: .anonymous) }
      let caller = (try? authorization(metadata)) ?? CallAuthorization(principal: .anonymous)
      // Whoever may write users is a service that calls for many people.
      if !caller.principal.scopes.contains(.usersWrite) { try peers.admit(context.remotePeer) }
      return caller
    case .scope(let scope):
      let caller = try authorization(metadata)
      try caller.principal.require(scope)
      return caller
    case .scopeOrSelf(let scope):
      let caller = try authorization(metadata)
      // A service is nobody's self.
      if caller.principal.userID == nil { try caller.principal.require(scope) }
      return caller
    case nil:
      throw .permissionDenied(missing: [])
    }
  }

  private func authorization(_ metadata: Metadata) throws(UserError) -> CallAuthorization {
    var values = metadata[stringValues: "authorization"].makeIterator()
    guard let header = values.next() else { throw .unauthenticated(.missing) }
    guard values.next() == nil else { throw .unauthenticated(.malformed) }
    let caller = try CallAuthorization(header: header, gate: gate)
    // Known from here on, whether it may call or not.
    CallRecord.current?.principal = caller.principal
    return caller
  }
}

/// Lets every call through, as if its caller had every scope: for development.
public struct NoAuthorizationInterceptor: ServerInterceptor {
  /// The interceptor, in place of ``AuthorizationInterceptor``.
  public init() {}

  /// Runs the handler.
  public func intercept<Input: Sendable, Output: Sendable>(
    request: StreamingServerRequest<Input>, context: ServerContext,
    next:
      @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
      StreamingServerResponse<Output>
  ) async throws -> StreamingServerResponse<Output> {
    try await CallAuthorization.$current.withValue(CallAuthorization(principal: .unrestricted)) {
      try await next(request, context)
    }
  }
}
