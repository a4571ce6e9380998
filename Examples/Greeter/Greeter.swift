import GRPCCore
import GRPCProtobuf
import SwiftProtobuf

/// `greeter.v1.Greeter`: greets by name.
///
/// Its messages are `google.protobuf.StringValue`, so that the example needs no generated code. A service with a
/// contract of its own uses the code that protoc-gen-grpc-swift-2 generates, and is passed to `GRPCServer` alike.
struct Greeter: RegistrableRPCService {
  private static let service = ServiceDescriptor(fullyQualifiedService: "greeter.v1.Greeter")
  /// Greets one name.
  static let greet = MethodDescriptor(service: service, method: "Greet", type: .unary)
  /// Greets each name as it arrives.
  static let greetAll = MethodDescriptor(service: service, method: "GreetAll", type: .bidirectionalStreaming)

  /// Bytes of the largest request message, inflated, by method; the transport refuses larger ones before it keeps them.
  static let receiveLimits = [greet: 256, greetAll: 256]

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    let deserializer = ProtobufDeserializer<Google_Protobuf_StringValue>()
    let serializer = ProtobufSerializer<Google_Protobuf_StringValue>()
    router.registerHandler(forMethod: Self.greet, deserializer: deserializer, serializer: serializer) {
      request, _ in
      let request = try await ServerRequest(stream: request)
      return StreamingServerResponse(single: ServerResponse(message: try greeting(for: request.message)))
    }
    router.registerHandler(forMethod: Self.greetAll, deserializer: deserializer, serializer: serializer) {
      request, _ in
      StreamingServerResponse { writer in
        for try await name in request.messages { try await writer.write(greeting(for: name)) }
        return [:]
      }
    }
  }

  private func greeting(for name: Google_Protobuf_StringValue) throws(RPCError) -> Google_Protobuf_StringValue
  {
    if name.value.isEmpty { throw RPCError(code: .invalidArgument, message: "the name must not be empty") }
    return Google_Protobuf_StringValue("Hello, \(name.value)!")
  }
}
