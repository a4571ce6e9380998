public import GRPCCore
import UserDomain

/// Lets a call through to its handler if an ``Authorizer`` permits it.
///
/// Authorisation comes before anything of the request is read (AIP-211): what only the request's message can
/// tell, whom it is about, the handler asks ``CallAuthorization``.
public struct AuthorizationInterceptor: ServerInterceptor {
  private let authorizer: Authorizer

  /// The interceptor, which goes inside of ``ErrorInterceptor``.
  public init(_ authorizer: Authorizer) {
    self.authorizer = authorizer
  }

  /// Runs the handler, if the caller may call it.
  public func intercept<Input: Sendable, Output: Sendable>(
    request: StreamingServerRequest<Input>, context: ServerContext,
    next:
      @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
      StreamingServerResponse<Output>
  ) async throws -> StreamingServerResponse<Output> {
    let caller: CallAuthorization
    do {
      caller = try authorize(request.metadata, context, keysAreFresh: false)
    } catch UserError.unauthenticated(.unknownKey) {
      // The key may be newer than the last look at the key files.
      await authorizer.refreshKeys()
      caller = try authorize(request.metadata, context, keysAreFresh: true)
    }
    return try await CallAuthorization.$current.withValue(caller) { try await next(request, context) }
  }

  private func authorize(
    _ metadata: Metadata, _ context: ServerContext, keysAreFresh: Bool
  ) throws(UserError) -> CallAuthorization {
    try authorizer.authorize(
      metadata, method: context.descriptor, peer: context.remotePeer, record: CallRecord.current,
      keysAreFresh: keysAreFresh)
  }
}
