public import GRPCCore

/// Writes each call to a ``CallLog`` when it ends.
public struct LoggingInterceptor: ServerInterceptor {
  private let calls: CallLog

  /// The interceptor, which goes outermost. What fails unexpectedly is ``ErrorInterceptor``'s to log as an
  /// error.
  public init(_ calls: CallLog) {
    self.calls = calls
  }

  /// Runs the handler, and then its stream of responses, and logs how the call ended.
  public func intercept<Input: Sendable, Output: Sendable>(
    request: StreamingServerRequest<Input>, context: ServerContext,
    next:
      @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
      StreamingServerResponse<Output>
  ) async throws -> StreamingServerResponse<Output> {
    let call = calls.begin(request.metadata, method: context.descriptor, peer: context.remotePeer)
    let response: StreamingServerResponse<Output>
    do {
      response = try await CallRecord.$current.withValue(call) { try await next(request, context) }
    } catch {
      call.ended(error)
      throw error
    }
    if case .failure(let error) = response.accepted { call.ended(error) }
    return response.wrappingProducer { writer, produce in
      do {
        let trailers = try await produce(writer)
        call.ended(nil)
        return trailers
      } catch {
        call.ended(error)
        throw error
      }
    }
  }
}
