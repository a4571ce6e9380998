import GRPCNghttp2Transport
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import PrometheusMetrics
import ServiceLifecycle

/// Serves the metrics to Prometheus: `GET /metrics`, HTTP/1.1.
struct MetricsServer: Service, CustomStringConvertible {
  let host: String
  let port: Int
  let registry: PrometheusRegistry
  let logger: Logger
  /// Hears of the address once it is bound.
  let bound: @Sendable (ListenAddress) -> Void

  private static let connections = 64
  private static let idleTimeout = TimeAmount.minutes(5)
  /// Of a request's header fields: Prometheus sends a few hundred bytes.
  private static let headerListSize = 16_384

  var description: String { "metrics server" }

  func run() async throws {
    let router = Router()
    router.get("metrics") { [registry] _, _ in
      Response(
        status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: registry.text())))
    }
    let application = Application(
      router: router,
      server: .http1(
        configuration: HTTP1Channel.Configuration(
          idleTimeout: Self.idleTimeout,
          httpDecoderConfiguration: .init(
            maxHeaderFieldSize: Self.headerListSize, maxHeaderListSize: Self.headerListSize,
            maxHeaderFieldCount: 100))),
      configuration: ApplicationConfiguration(
        address: .hostname(host, port: port),
        availableConnectionsDelegate: MaximumAvailableConnections(Self.connections)),
      onServerRunning: { [host, bound] channel in
        bound(.tcp(host: host, port: channel.localAddress?.port ?? 0))
      }, logger: logger)
    do {
      try await application.run()
    } catch let error as IOError {
      throw StartError(
        description: "cannot listen on \(ListenAddress.tcp(host: host, port: port)) for metrics: \(error)")
    }
  }
}
