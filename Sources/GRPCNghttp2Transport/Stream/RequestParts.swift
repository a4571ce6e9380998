/// The request, as GRPCCore reads it.
struct RequestParts: AsyncSequence, Sendable {
  typealias Element = ServerStream.Part
  typealias Failure = any Error

  let stream: ServerStream

  struct AsyncIterator: AsyncIteratorProtocol {
    let stream: ServerStream

    func next() async throws -> Element? { try await stream.nextPart() }

    func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> Element? {
      try await stream.nextPart()
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}
