public import GRPCCore
import UserDomain

/// A ``UnaryRPC`` behind its pipeline, on the handler road or the inline road.
public final class UnaryMethod<RPC: UnaryRPC>: Sendable {
  private let rpc: RPC
  private let pipeline: MethodPipeline

  init(_ rpc: RPC, _ pipeline: MethodPipeline) {
    self.rpc = rpc
    self.pipeline = pipeline
  }

  /// Decodes a request and answers it.
  ///
  /// - Throws: the error that ends the call.
  private func answer<Response: UnaryResponse & ~Copyable>(
    _ message: UnsafeRawBufferPointer, for caller: Caller, to response: inout Response
  ) throws -> UnaryAnswer<RPC.Work> {
    try rpc.answer(rpc.decode(message), for: caller, to: &response)
  }

  // MARK: The handler's road

  /// Registers the handler.
  func register<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: pipeline.descriptor, deserializer: PlainBytes(), serializer: PlainBytes()
    ) { request, context in
      try await self.handle(request, context)
    }
  }

  /// Answers a call on the handler road.
  func handle(
    _ request: StreamingServerRequest<[UInt8]>, _ context: ServerContext
  ) async throws -> StreamingServerResponse<[UInt8]> {
    try await pipeline.respond(to: request, context) { authorization in
      let message = try await ServerRequest(stream: request).message
      var response = CollectedResponse()
      let answer = try message.withUnsafeBytes { message in
        try self.answer(message, for: authorization.caller, to: &response)
      }
      switch answer {
      case .given: return response.message
      case .later(let work): return try await self.rpc.finish(work)
      }
    }
  }

  private struct CollectedResponse: UnaryResponse {
    var message: [UInt8] = []

    mutating func take(count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
      message = [UInt8](count: count, write)
    }
  }
}

// MARK: The inline road

extension UnaryMethod {
  /// The method.
  public var descriptor: MethodDescriptor { pipeline.descriptor }

  /// Answers `call`, now or later, or declines it: then nothing was counted, and its handler must answer it.
  public func answer<Call: InlineUnaryCall & ~Copyable>(_ call: inout Call) {
    let peer = call.remotePeer
    let observed = pipeline.observer.arrived(call.metadata, peer: peer)
    let decision = call.withOnlyValue(of: "authorization") { authorization in
      pipeline.gate.decide(known: authorization, from: peer)
    }
    switch decision {
    case .undecided: return
    case .refuse(let error, let bearer):
      observed.started(inline: true)
      observed.identified(bearer)
      let status = pipeline.fail(observed, error, cause: .client)
      call.answerLater { _ in .failure(status) }
    case .permit(let caller):
      observed.started(inline: true)
      observed.identified(caller.bearer)
      answer(&call, of: caller, observed)
    }
  }

  private func answer<Call: InlineUnaryCall & ~Copyable>(
    _ call: inout Call, of caller: Caller, _ observed: ObservedCall
  ) {
    do {
      switch try answer(call.message, for: caller, to: &call) {
      case .given: observed.ended(nil)
      case .later(let work): respondLater(to: &call, observed, work)
      }
    } catch {
      let status = pipeline.fail(observed, error, cause: .client)
      call.answerLater { _ in .failure(status) }
    }
  }

  private func respondLater<Call: InlineUnaryCall & ~Copyable>(
    to call: inout Call, _ observed: ObservedCall, _ work: RPC.Work
  ) {
    call.answerLater { [rpc, pipeline] cause in
      do {
        let message = try await rpc.finish(work)
        observed.ended(nil)
        return .success(message)
      } catch {
        return .failure(pipeline.fail(observed, error, cause: cause()))
      }
    }
  }
}
