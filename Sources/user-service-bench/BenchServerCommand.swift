import ArgumentParser
import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCNghttp2Transport
import NIOPosix
import PrometheusMetrics
import UserServiceApp

/// Serves a database until it is killed: the service over its own transport, with its limits and time-outs, or a
/// ``StockServer``.
struct BenchServerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server", abstract: "Serves a database over one of the transports.", shouldDisplay: false)

  enum Transport: String, CaseIterable, ExpressibleByArgument {
    /// GRPCNghttp2Transport, the service's own.
    case own
    /// grpc-swift-nio-transport's, the yardstick.
    case stock
  }

  @Option var transport: Transport
  @Option var database: String
  @Option var auth = "on"
  @Option var inline = "true"
  @Option var logLevel = "warning"
  @Option var metrics = "on"
  /// The file of the signing keys; by default that beside the database.
  @Option var keys: String?
  /// The number of event loops; by default the number of cores.
  @Option var loops: Int?

  func run() async throws {
    let settings = try ServiceConfiguration(
      flags: [
        "database": database, "auth.mode": auth, "grpc.inline": inline, "log.level": logLevel,
      ], file: nil, environment: keys.map { ["USER_SERVICE_AUTH_KEYS": $0] } ?? [:])
    let registry = metrics == "on" ? PrometheusRegistry() : nil
    let group =
      loops.map { MultiThreadedEventLoopGroup(numberOfThreads: $0) } ?? .singletonMultiThreadedEventLoopGroup
    switch transport {
    case .own:
      let server = try await UserServiceApp.assemble(settings, metrics: registry) { inlineMethods in
        Nghttp2ServerTransport(
          listeners: [Listener(.tcp(host: "127.0.0.1", port: 0))], configuration: settings.transport,
          eventLoopGroup: group, inlineMethods: inlineMethods)
      }.server
      try await serve(server) { "\(try await server.transport.addresses[0])" }
    case .stock:
      let server = try StockServer.make(database: database)
      try await serve(server) {
        "127.0.0.1:\(try await server.transport.listeningAddress.ipv4?.port ?? 0)"
      }
    }
  }

  private func serve(
    _ server: GRPCServer<some ServerTransport>, _ address: @escaping @Sendable () async throws -> String
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.serve() }
      group.addTask { BenchServer.announce(try await address()) }
      try await group.waitForAll()
    }
  }
}
