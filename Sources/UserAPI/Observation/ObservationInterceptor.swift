public import GRPCCore

/// Tells a ``CallObserver`` of each call.
public struct ObservationInterceptor: ServerInterceptor {
  private let observer: CallObserver

  /// The interceptor, which goes outermost. What fails unexpectedly is ``ErrorInterceptor``'s to log as an
  /// error.
  public init(_ observer: CallObserver) {
    self.observer = observer
  }

  /// Runs the handler, and then its stream of responses, and tells how the call ended.
  public func intercept<Input: Sendable, Output: Sendable>(
    request: StreamingServerRequest<Input>, context: ServerContext,
    next:
      @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
      StreamingServerResponse<Output>
  ) async throws -> StreamingServerResponse<Output> {
    let call = observer[context.descriptor].arrived(request.metadata, peer: context.remotePeer)
    call.started()
    let response: StreamingServerResponse<Output>
    do {
      response =
        if let record = call.record {
          try await CallRecord.$current.withValue(record) { try await next(request, context) }
        } else {
          try await next(request, context)
        }
    } catch {
      call.ended(error)
      throw error
    }
    if case .failure(let error) = response.accepted {
      call.ended(error)
      return response
    }
    // The service has done its part: a single message has been made. Whether its client gets it the transport knows.
    if context.descriptor.type?.isResponseStreaming == false {
      call.ended(nil)
      return response
    }
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
