import GRPCCore
import InteropProtos
import SwiftProtobuf

/// `grpc.testing.TestService`, as far as the tests' descriptions define it.
struct TestService: RegistrableRPCService {
  private typealias Methods = Grpc_Testing_TestService.Method
  private typealias Output = Reply<Grpc_Testing_StreamingOutputCallResponse>

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    register(Methods.EmptyCall.descriptor, with: &router) {
      (_: Messages<Grpc_Testing_Empty>, writer) in
      try await writer.write(Reply(message: Grpc_Testing_Empty()))
    }
    register(Methods.UnaryCall.descriptor, with: &router) {
      (requests: Messages<Grpc_Testing_SimpleRequest>, writer) in
      for try await request in requests { try await writer.write(try Self.unary(request)) }
    }
    register(Methods.StreamingInputCall.descriptor, with: &router) {
      (requests: Messages<Grpc_Testing_StreamingInputCallRequest>, writer) in
      var size = 0
      for try await request in requests {
        try Self.check(
          request.isCompressed, request.message.hasExpectCompressed, request.message.expectCompressed)
        size += request.message.payload.body.count
      }
      try await writer.write(
        Reply(
          message: Grpc_Testing_StreamingInputCallResponse.with { $0.aggregatedPayloadSize = Int32(size) }))
    }
    for method in [Methods.StreamingOutputCall.descriptor, Methods.FullDuplexCall.descriptor] {
      register(method, with: &router) {
        (requests: Messages<Grpc_Testing_StreamingOutputCallRequest>, writer) in
        for try await request in requests { try await Self.output(request.message, writer) }
      }
    }
    register(Methods.HalfDuplexCall.descriptor, with: &router) {
      (requests: Messages<Grpc_Testing_StreamingOutputCallRequest>, writer) in
      var received: [Grpc_Testing_StreamingOutputCallRequest] = []
      for try await request in requests { received.append(request.message) }
      for request in received { try await Self.output(request, writer) }
    }
  }

  private typealias Messages<Message: SwiftProtobuf.Message> = RPCAsyncSequence<Received<Message>, any Error>

  /// Registers `body`, and echoes the metadata that the descriptions name.
  private func register<
    Transport: ServerTransport, Request: SwiftProtobuf.Message, Response: SwiftProtobuf.Message
  >(
    _ method: MethodDescriptor, with router: inout RPCRouter<Transport>,
    _ body: @escaping @Sendable (Messages<Request>, RPCWriter<Reply<Response>>) async throws -> Void
  ) {
    router.registerHandler(
      forMethod: method, deserializer: ReceivedDeserializer<Request>(),
      serializer: ReplySerializer<Response>()
    ) { request, _ in
      var initial = Metadata()
      for value in request.metadata[stringValues: "x-grpc-test-echo-initial"] {
        initial.addString(value, forKey: "x-grpc-test-echo-initial")
      }
      var trailing = Metadata()
      for value in request.metadata[binaryValues: "x-grpc-test-echo-trailing-bin"] {
        trailing.addBinary(value, forKey: "x-grpc-test-echo-trailing-bin")
      }
      return StreamingServerResponse(metadata: initial) { [trailing] writer in
        do {
          try await body(request.messages, writer)
        } catch var error as RPCError {
          error.metadata.add(contentsOf: trailing)
          throw error
        }
        return trailing
      }
    }
  }

  private static func unary(
    _ request: Received<Grpc_Testing_SimpleRequest>
  ) throws -> Reply<Grpc_Testing_SimpleResponse> {
    let message = request.message
    try check(request.isCompressed, message.hasExpectCompressed, message.expectCompressed)
    try check(message.hasResponseStatus ? message.responseStatus : nil)
    let payload = try payload(message.responseSize)
    return Reply(message: .with { $0.payload = payload }, isCompressed: message.responseCompressed.value)
  }

  private static func output(
    _ request: Grpc_Testing_StreamingOutputCallRequest, _ writer: RPCWriter<Output>
  ) async throws {
    try check(request.hasResponseStatus ? request.responseStatus : nil)
    for parameters in request.responseParameters {
      // The client requests this pause; it is part of the test service.
      if parameters.intervalUs > 0 { try await Task.sleep(for: .microseconds(Int(parameters.intervalUs))) }
      let payload = try payload(parameters.size)
      try await writer.write(
        Reply(message: .with { $0.payload = payload }, isCompressed: parameters.compressed.value))
    }
  }

  private static func check(_ isCompressed: Bool, _ isExpected: Bool, _ expected: Grpc_Testing_BoolValue)
    throws
  {
    if isExpected, expected.value != isCompressed {
      throw RPCError(code: .invalidArgument, message: "the request is not compressed as it says")
    }
  }

  private static func check(_ status: Grpc_Testing_EchoStatus?) throws {
    guard let status, let code = Status.Code(rawValue: Int(status.code)).flatMap({ RPCError.Code($0) }) else {
      return
    }
    throw RPCError(code: code, message: status.message)
  }

  private static func payload(_ size: Int32) throws -> Grpc_Testing_Payload {
    guard (0...16 * 1_024 * 1_024).contains(size) else {
      throw RPCError(code: .invalidArgument, message: "the size of the response is out of bounds")
    }
    return .with { $0.body = .init(repeating: 0, count: Int(size)) }
  }
}
