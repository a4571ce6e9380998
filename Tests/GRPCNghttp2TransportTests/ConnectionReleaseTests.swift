import GRPCCore
import NIOCore
import NIOEmbedded
import Testing

@testable import GRPCNghttp2Transport

/// What is left of connections that have ended.
@Suite struct ConnectionReleaseTests {
  private static let method = MethodDescriptor(
    service: ServiceDescriptor(fullyQualifiedService: "t.T"), method: "Talk", type: .bidirectionalStreaming)
  private static let watch = MethodDescriptor(
    service: ServiceDescriptor(fullyQualifiedService: "t.T"), method: "Watch", type: .serverStreaming)

  /// Takes messages and never ends its call.
  private struct Silent: InlineRequests {
    mutating func receive(_ message: MessageBytes) -> InlineStep? { .next }
    mutating func work() async -> InlineStep { .next }
    mutating func requestEnded(_ failure: RPCError?) async -> InlineStep { .end(nil, failure) }
    mutating func callEnded() {}
  }

  @Test(
    "nothing keeps a connection that has ended, whatever its calls were doing",
    arguments: ["/t.T/Talk", "/t.T/Watch"], [true, false])
  func released(path: String, timeout: Bool) throws {
    let transport = Nghttp2ServerTransport(
      listeners: [],
      inlineMethods: [
        InlineMethod(requests: Self.method) { _ in .taken(Silent()) },
        InlineMethod(streaming: Self.watch) { call in
          call.whenCancelled {}
          return true
        },
      ])
    var context = GRPCServerContext()
    context.methods = [Self.method, Self.watch]
    transport.configure(context: context)
    let loop = EmbeddedEventLoop()
    let initializer = transport.connectionInitializer(on: [loop]) { _, _ in }
    let channel = EmbeddedChannel(loop: loop)
    try initializer.initialize(channel)
    try channel.connect(to: SocketAddress(unixDomainSocketPath: "/client")).wait()
    weak let connection = try channel.pipeline.syncOperations.handler(type: ConnectionHandler.self).connection
    #expect(connection != nil)
    let isWatch = path.hasSuffix("Watch")
    let bytes =
      Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + ClientFrames.frame(4, 0, 0, [])
      + ClientFrames.frame(1, 4, 1, ClientFrames.headers(path, timeout: timeout))
      + ClientFrames.frame(0, isWatch ? 1 : 0, 1, [0, 0, 0, 0, 0])
    try channel.writeInbound(ByteBuffer(bytes: bytes))
    channel.pipeline.fireChannelReadComplete()
    loop.advanceTime(by: .milliseconds(10))
    _ = try channel.finish(acceptAlreadyClosed: true)
    loop.run()
    #expect(transport.connectionCount == 0 && connection == nil)
  }
}
