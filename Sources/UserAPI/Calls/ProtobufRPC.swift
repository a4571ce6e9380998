import GRPCCore
import SwiftProtobuf

/// A unary RPC with SwiftProtobuf messages whose response is made in a task.
struct ProtobufRPC<Request: Message, Response: Message>: UnaryRPC {
  struct Work: Sendable {
    let request: Request
    let caller: Caller
  }

  /// Answers a request. An error fails the call.
  let respond: @Sendable (Request, Caller) async throws -> Response

  func decode(_ message: UnsafeRawBufferPointer) throws -> Request {
    try Request(request: Array(message))
  }

  func answer<Sink: UnaryResponse & ~Copyable>(
    _ request: Request, for caller: Caller, to response: inout Sink
  ) -> UnaryAnswer<Work> {
    .later(Work(request: request, caller: caller))
  }

  func finish(_ work: Work) async throws -> [UInt8] {
    try await respond(work.request, work.caller).serializedBytes()
  }
}

extension CallPipeline {
  /// Registers the handler of a unary method. `respond` answers a request of a caller.
  func register<Transport: ServerTransport, Request: Message, Response: Message>(
    _ method: MethodDescriptor, with router: inout RPCRouter<Transport>,
    _ respond: @escaping @Sendable (Request, Caller) async throws -> Response
  ) {
    UnaryMethod(ProtobufRPC(respond: respond), pipeline(of: method)).register(with: &router)
  }
}
