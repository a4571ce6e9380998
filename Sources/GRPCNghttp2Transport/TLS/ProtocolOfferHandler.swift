import Logging
import NIOCore

/// Answers a client that offers protocols without `h2` with the alert `no_application_protocol` (RFC 7301 §3.2); the
/// TLS library would go on without a protocol. Goes before the handler of TLS, and leaves after ClientHello.
///
/// Confined to the channel's event loop, as every channel handler is.
final class ProtocolOfferHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// A record of TLS 1.2 with a fatal alert, 120. Before the first answer there are no keys, whatever the version.
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
