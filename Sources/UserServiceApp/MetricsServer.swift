import GRPCNghttp2Transport
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import PrometheusMetrics
import ServiceLifecycle
import Synchronization

/// Serves the metrics to Prometheus: `GET /metrics`, HTTP/1.1. A failure after it listens does not stop the service.
///
/// One page alone would not need Hummingbird. It is here for the routes that an operator's port gets beside the metrics,
/// such as probes.
struct MetricsServer: Service, CustomStringConvertible {
  let host: String
  let port: Int
  let registry: PrometheusRegistry
  /// Logs the server's unexpected end. Hummingbird's own messages, about dropped connections, are discarded.
  let logger: Logger
  /// Receives the address once it is bound.
  let bound: @Sendable (ListenAddress) -> Void

  private static let connections = 64
  /// The longest life of a connection, so that a client that stalls cannot keep others out for long.
  private static let lifetime = TimeAmount.seconds(10)
  /// The largest header list of a request, in bytes; Prometheus sends a few hundred.
  private static let headerListSize = 16_384

  var description: String { "metrics server" }

  /// - Throws: `StartError` if the server cannot listen.
  func run() async throws {
    let isBound = Atomic(false)
    do {
      // Cancelled at once, so that a slow reader of metrics does not delay the shutdown.
      try await cancelWhenGracefulShutdown {
        try await application { address in
          isBound.store(true, ordering: .relaxed)
          bound(address)
        }.run()
      }
    } catch {
      if Task.isShuttingDownGracefully || Task.isCancelled { return }
      guard isBound.load(ordering: .relaxed) else {
        throw StartError(
          description:
            "cannot listen on \(ListenAddress.tcp(host: host, port: port)) for metrics: \(BindFailure(error))"
        )
      }
      logger.error("the metrics server has stopped", metadata: ["error": "\(error)"])
    }
  }

  private var quiet: Logger {
    var logger = logger
    logger.logLevel = .critical
    return logger
  }

  private func application(_ bound: @escaping @Sendable (ListenAddress) -> Void) -> some ApplicationProtocol {
    let router = Router()
    router.get("metrics") { [registry] _, _ in
      Response(
        status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: registry.text())))
    }
    return Application(
      router: router,
      server: .http1(
        configuration: HTTP1Channel.Configuration(
          additionalChannelHandlers: [Lifetime(Self.lifetime)],
          httpDecoderConfiguration: .init(
            maxHeaderFieldSize: Self.headerListSize, maxHeaderListSize: Self.headerListSize,
            maxHeaderFieldCount: 100))),
      configuration: ApplicationConfiguration(
        address: .hostname(host, port: port),
        availableConnectionsDelegate: MaximumAvailableConnections(Self.connections)),
      onServerRunning: { [host] channel in
        bound(.tcp(host: host, port: channel.localAddress?.port ?? 0))
      }, logger: quiet)
  }
}

/// Closes its connection after ``MetricsServer/lifetime``.
private final class Lifetime: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = Never

  private let time: TimeAmount
  private var end: Scheduled<Void>?

  init(_ time: TimeAmount) {
    self.time = time
  }

  func handlerAdded(context: ChannelHandlerContext) {
    end = context.eventLoop.scheduleTask(in: time) { [channel = context.channel] in
      channel.close(promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    end?.cancel()
    context.fireChannelInactive()
  }
}
