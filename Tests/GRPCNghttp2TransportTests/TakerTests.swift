import GRPCCore
import NIOCore
import NIOEmbedded
import Testing

@testable import GRPCNghttp2Transport

/// The task that takes a call's messages, on a loop whose time the test sets.
@Suite struct TakerTests {
  private static let method = MethodDescriptor(
    service: ServiceDescriptor(fullyQualifiedService: "t.T"), method: "Talk", type: .bidirectionalStreaming)

  /// Ends its call after working for longer than a slice of the event loop.
  private struct Slow: InlineRequests {
    let loop: EmbeddedEventLoop

    mutating func receive(_ message: MessageBytes) -> InlineStep? { .next }
    mutating func work() async -> InlineStep { .next }
    mutating func requestEnded(_ failure: RPCError?) async -> InlineStep {
      loop.advanceTime(by: .milliseconds(5))
      return .end(nil, failure)
    }
    mutating func callEnded() {}
  }

  @Test("what a method decides takes effect at once, even if it has used up its slice of the loop")
  func decidesBeforeItYields() throws {
    let loop = EmbeddedEventLoop()
    let transport = Nghttp2ServerTransport(
      listeners: [], inlineMethods: [InlineMethod(requests: Self.method) { _ in .taken(Slow(loop: loop)) }])
    var context = GRPCServerContext()
    context.methods = [Self.method]
    transport.configure(context: context)
    let channel = EmbeddedChannel(loop: loop)
    try transport.connectionInitializer(on: [loop]) { _, _ in }.initialize(channel)
    try channel.connect(to: SocketAddress(unixDomainSocketPath: "/client")).wait()
    let connection = try #require(
      try channel.pipeline.syncOperations.handler(type: ConnectionHandler.self).connection)
    let bytes =
      Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + ClientFrames.frame(4, 0, 0, [])
      + ClientFrames.frame(1, 4, 1, ClientFrames.headers("/t.T/Talk")) + ClientFrames.frame(0, 1, 1, [])
    try channel.writeInbound(ByteBuffer(bytes: bytes))
    channel.pipeline.fireChannelReadComplete()
    #expect(connection.session.core.isUnanswered(1) == false)
    _ = try channel.finish(acceptAlreadyClosed: true)
    loop.run()
    #expect(transport.connectionCount == 0)
  }
}
