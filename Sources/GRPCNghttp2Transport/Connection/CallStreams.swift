import GRPCCore

/// The request as a sequence for GRPCCore.
struct RequestParts: AsyncSequence, Sendable {
  typealias Element = RPCRequestPart<MessageBytes>
  typealias Failure = any Error

  let call: Call

  struct AsyncIterator: AsyncIteratorProtocol {
    let call: Call

    func next() async throws -> Element? { try await call.nextPart() }

    func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> Element? {
      try await call.nextPart()
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(call: call) }
}

/// The response as a writer for GRPCCore.
struct ResponseWriter: ClosableRPCWriterProtocol {
  typealias Element = RPCResponsePart<MessageBytes>

  let call: Call

  func write(_ element: Element) async throws { try await call.write(element) }

  func write(contentsOf elements: some Sequence<Element>) async throws {
    try await call.write(contentsOf: elements)
  }

  func finish() async {}

  func finish(throwing error: any Error) async {}
}
