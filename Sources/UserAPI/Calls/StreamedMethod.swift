public import GRPCCore
import UserDomain

/// A method with many requests behind its pipeline, on the handler road or the inline road. On the inline road a call
/// waiting for its client has no task.
public struct StreamedMethod: Sendable {
  private let pipeline: MethodPipeline
  /// Begins a call with its authorization. A call on the inline road wakes up when the function is called.
  typealias MakeCall =
    @Sendable (CallAuthorization, _ wake: @escaping @Sendable () -> Void) -> any StreamedCall

  private let makeCall: MakeCall

  /// - Parameter makeCall: begins a call of `method`.
  init(
    _ method: MethodDescriptor, _ calls: CallPipeline,
    makeCall: @escaping MakeCall
  ) {
    pipeline = calls.pipeline(of: method, isInline: true)
    self.makeCall = makeCall
  }

  /// The method.
  public var descriptor: MethodDescriptor { pipeline.descriptor }

  // MARK: The inline road

  /// The decision on a call that is offered to the inline road.
  public enum Acceptance {
    /// Pass the call's messages to the value.
    case taken(InlineStreamedCall)
    /// End the call with the error.
    case refused(RPCError)
    /// Give the call to its handler. Nothing was done yet.
    case declined
  }

  /// Decides whether to take `call`.
  public func accept<Call: InlineStreamingCall & ~Copyable>(_ call: borrowing Call) -> Acceptance {
    let observed = pipeline.observer.arrived(call.metadata, peer: call.remotePeer)
    switch pipeline.gate.decide(call.metadata, from: call.remotePeer, isRefreshed: false) {
    // The key or the epoch may be newer than what was read last; the handler waits for another read.
    case .undecided: return .declined
    case .refuse(let error, let bearer):
      observed.started(inline: true)
      observed.identified(bearer)
      return .refused(pipeline.fail(observed, error, cause: .client))
    case .permit(let authorization):
      observed.started(inline: true)
      observed.identified(authorization.caller.bearer)
      let responses = call.responses
      return .taken(
        InlineStreamedCall(
          makeCall(authorization) { responses.wake() }, pipeline, observed, cause: call.cause))
    }
  }

  // MARK: The handler's road

  /// Registers the handler.
  func register<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: descriptor, deserializer: PlainBytes(), serializer: PlainBytes()
    ) { request, context in
      try await self.handle(request, context)
    }
  }

  /// Answers a call on the handler road.
  func handle(
    _ request: StreamingServerRequest<[UInt8]>, _ context: ServerContext
  ) async throws -> StreamingServerResponse<[UInt8]> {
    if descriptor.type?.isResponseStreaming == false {
      return try await pipeline.respond(to: request, context) { authorization in
        try await Self.answer(to: request.messages, makeCall(authorization) {})
      }
    }
    return try await pipeline.stream(to: request, context) { authorization in
      let call = makeCall(authorization) {}
      return { writer in try await Self.answer(request.messages, call, writer) }
    }
  }

  private static func answer(
    to messages: RPCAsyncSequence<[UInt8], any Error>, _ call: some StreamedCall
  ) async throws -> [UInt8] {
    var call = call
    for try await message in messages {
      try Task.checkCancellation()
      _ = try await call.handle(message)
    }
    return try await call.requestEnded().first ?? []
  }

  private static func answer(
    _ messages: RPCAsyncSequence<[UInt8], any Error>, _ call: some StreamedCall, _ writer: RPCWriter<[UInt8]>
  ) async throws {
    var call = call
    for try await message in messages {
      try Task.checkCancellation()
      for answer in try await call.handle(message) { try await writer.write(answer) }
    }
    for answer in try await call.requestEnded() { try await writer.write(answer) }
  }
}
