import GRPCCore
import UserDomain

/// The ``CallPipeline`` of one method's calls.
final class MethodPipeline: Sendable {
  /// The method.
  let descriptor: MethodDescriptor
  /// Decides who may call it.
  let gate: MethodGate
  /// Hears of its calls.
  let observer: MethodObserver
  private let authorizer: Authorizer
  private let errors: ErrorMapper
  private let cause: @Sendable (ServerContext) -> CancellationCause

  init(
    _ descriptor: MethodDescriptor, authorizer: Authorizer, observer: MethodObserver, errors: ErrorMapper,
    cause: @escaping @Sendable (ServerContext) -> CancellationCause
  ) {
    self.descriptor = descriptor
    self.authorizer = authorizer
    self.observer = observer
    self.errors = errors
    self.cause = cause
    gate = authorizer.gate(of: descriptor)
  }

  /// Reports to the observer that `call` failed with `error`, and returns the status.
  ///
  /// - Parameter cause: why the call was cancelled, if it was.
  func fail(
    _ call: ObservedCall, _ error: any Error, cause: @autoclosure () -> CancellationCause
  ) -> RPCError {
    let status = errors.status(for: error, of: descriptor, cause: cause())
    call.ended(status)
    return status
  }

  // MARK: Calls of a handler

  /// Responds to a handler's call with the message that `answer` returns.
  ///
  /// - Throws: `RPCError`.
  func respond<Output: Sendable>(
    to request: StreamingServerRequest<[UInt8]>, _ context: ServerContext,
    _ answer: (CallAuthorization) async throws -> Output
  ) async throws -> StreamingServerResponse<Output> {
    let call = start(request.metadata, context)
    do {
      let message = try await answer(try await authorize(call, request.metadata, context))
      // The service has done its part. Only the transport knows whether the client receives the message.
      call.ended(nil)
      return StreamingServerResponse(single: ServerResponse(message: message))
    } catch {
      throw fail(call, error, cause: cause(context))
    }
  }

  /// Responds to a handler's call with the messages that a producer writes. `accept` makes the producer before anything
  /// is sent.
  ///
  /// - Throws: `RPCError`, as the response also does.
  func stream<Output: Sendable>(
    to request: StreamingServerRequest<[UInt8]>, _ context: ServerContext,
    _ accept: (CallAuthorization) async throws -> @Sendable (RPCWriter<Output>) async throws -> Void
  ) async throws -> StreamingServerResponse<Output> {
    let call = start(request.metadata, context)
    do {
      let produce = try await accept(try await authorize(call, request.metadata, context))
      return StreamingServerResponse { [self] writer in
        do {
          try await produce(writer)
          call.ended(nil)
          return [:]
        } catch {
          throw fail(call, error, cause: cause(context))
        }
      }
    } catch {
      throw fail(call, error, cause: cause(context))
    }
  }

  private func start(_ metadata: Metadata, _ context: ServerContext) -> ObservedCall {
    let call = observer.arrived(metadata, peer: context.remotePeer)
    call.started()
    return call
  }

  /// - Throws: `UserError` if the call is refused.
  private func authorize(
    _ call: ObservedCall, _ metadata: Metadata, _ context: ServerContext
  ) async throws(UserError) -> CallAuthorization {
    var decision = gate.decide(metadata, from: context.remotePeer, isRefreshed: false)
    if case .undecided(let lack) = decision {
      await authorizer.refresh(lack)
      decision = gate.decide(metadata, from: context.remotePeer, isRefreshed: true)
    }
    switch decision {
    case .permit(let authorization):
      call.identified(authorization.caller.bearer)
      return authorization
    case .refuse(let error, let bearer):
      call.identified(bearer)
      throw error
    case .undecided:
      // No check is more thorough than one after a refresh.
      throw .unauthenticated(.unknownKey)
    }
  }
}
