import GRPCCore

/// A call of a method with many requests, from its first message on: what each is answered with. Messages are serialized.
protocol StreamedCall: Sendable {
  /// Takes the next message. Returns the answer, if there is one to it alone.
  ///
  /// - Throws: what the call ends with.
  mutating func receive(_ message: [UInt8]) async throws -> [UInt8]?

  /// The client has sent all of its messages. Returns the answer to all of them, if there is one.
  ///
  /// - Throws: what the call ends with.
  mutating func requestEnded() async throws -> [UInt8]?
}

extension StreamedCall {
  /// Nothing is left to be said.
  mutating func requestEnded() async throws -> [UInt8]? { nil }
}

extension StreamedMethod {
  /// Registers a handler that does what a call does.
  func register<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(forMethod: descriptor, deserializer: PlainBytes(), serializer: PlainBytes()) {
      request, context in
      let call = makeCall(CallAuthorization.current, context.remotePeer)
      if descriptor.type?.isResponseStreaming == false {
        return StreamingServerResponse(
          single: ServerResponse(message: try await answer(to: request.messages, call)))
      }
      return StreamingServerResponse { writer in
        try await answer(request.messages, call, writer)
        return [:]
      }
    }
  }
}

private func answer(
  to messages: RPCAsyncSequence<[UInt8], any Error>, _ call: some StreamedCall
) async throws -> [UInt8] {
  var call = call
  for try await message in messages {
    try Task.checkCancellation()
    _ = try await call.receive(message)
  }
  return try await call.requestEnded() ?? []
}

private func answer(
  _ messages: RPCAsyncSequence<[UInt8], any Error>, _ call: some StreamedCall, _ writer: RPCWriter<[UInt8]>
) async throws {
  var call = call
  for try await message in messages {
    try Task.checkCancellation()
    if let answer = try await call.receive(message) { try await writer.write(answer) }
  }
  if let answer = try await call.requestEnded() { try await writer.write(answer) }
}

/// Messages as they are on the wire.
private struct PlainBytes: MessageSerializer, MessageDeserializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }

  func deserialize(_ bytes: some GRPCContiguousBytes) throws -> [UInt8] {
    bytes.withUnsafeBytes { Array($0) }
  }
}
