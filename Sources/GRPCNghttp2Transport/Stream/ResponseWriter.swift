import GRPCCore

/// The response, as GRPCCore writes it.
struct ResponseWriter: ClosableRPCWriterProtocol {
  typealias Element = RPCResponsePart<MessageBytes>

  let stream: ServerStream

  func write(_ element: Element) async throws { try await stream.write(element) }

  func write(contentsOf elements: some Sequence<Element>) async throws {
    try await stream.write(contentsOf: elements)
  }

  func finish() async {}

  func finish(throwing error: any Error) async {}
}
