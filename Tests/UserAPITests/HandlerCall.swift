import GRPCCore
import Synchronization

@testable import UserAPI

/// A call as GRPCCore passes it to a handler.
struct HandlerCall {
  let request: StreamingServerRequest<[UInt8]>
  let context: ServerContext

  init(
    _ method: MethodDescriptor, metadata: Metadata = [:], messages: [[UInt8]] = [],
    peer: String = "ipv4:192.0.2.1:7"
  ) {
    request = StreamingServerRequest(
      metadata: metadata,
      messages: RPCAsyncSequence(
        wrapping: AsyncThrowingStream<[UInt8], any Error> { stream in
          for message in messages { stream.yield(message) }
          stream.finish()
        }))
    context = ServerContext(
      descriptor: method, remotePeer: peer, localPeer: "ipv4:192.0.2.2:1", cancellation: .init())
  }
}

extension StreamingServerResponse {
  /// The messages, once all are written.
  func messages() async throws -> [Message] {
    let written = WrittenMessages<Message>()
    try await write(to: written)
    return written.all
  }

  /// Writes the messages to `messages` until the response ends.
  func write(to messages: WrittenMessages<Message>) async throws {
    _ = try await accepted.get().producer(RPCWriter(wrapping: messages))
  }
}

/// Collects the messages of a response.
final class WrittenMessages<Element: Sendable>: RPCWriterProtocol {
  private let messages = Mutex<[Element]>([])

  /// The messages written so far.
  var all: [Element] { messages.withLock { $0 } }

  @concurrent func write(_ element: Element) async throws { messages.withLock { $0.append(element) } }

  @concurrent func write(contentsOf elements: some Sequence<Element>) async throws {
    for element in elements { messages.withLock { $0.append(element) } }
  }
}
