import Logging
import NIOCore

/// Answers a client that offers protocols but not `h2` with the alert `no_application_protocol` (RFC 7301 §3.2); the
/// TLS library would continue without a protocol. It precedes the TLS handler, and removes itself after ClientHello.
///
/// Confined to the channel's event loop, as every channel handler is.
final class ProtocolOfferHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// A TLS 1.2 record with the fatal alert 120. It is plain text, because no keys exist before the server's first
  /// message in any version.
  private static let alert: [UInt8] = [21, 3, 3, 0, 2, 2, 120]

  private var scanner = ClientHelloScanner(protocol: "h2")
  private var isRefused = false
  private let logger: Logger

  init(logger: Logger) {
    self.logger = logger
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isRefused else { return }
    switch scanner.scan(unwrapInboundIn(data).readableBytesView) {
    case .incomplete:
      context.fireChannelRead(data)
    case .permitted:
      context.fireChannelRead(data)
      context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    case .refused:
      isRefused = true
      logger.debug("connection refused", metadata: ["reason": "the client did not offer h2"])
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: Self.alert)), promise: nil)
      context.close(promise: nil)
    }
  }
}
