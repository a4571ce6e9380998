import Foundation
import GRPCCore
public import GRPCNghttp2Transport
import Logging
import PasswordHashing
import PrometheusMetrics
import ServiceLifecycle
import TokenSigning
import UnixSignals
import UserAPI
import UserDomain
import UserStore

/// The service as it runs: built by `App+build.swift`, started and stopped here.
public struct UserServiceApp: Sendable {
  let configuration: ServiceConfiguration
  let claim: DatabaseClaim
  let repository: any ServiceStore
  /// The files of the database that users other than their owner may read or write.
  let exposedFiles: [String]
  let server: GRPCServer<Nghttp2ServerTransport>
  let health: HealthMonitor
  let authority: TokenAuthority
  let metrics: PrometheusRegistry?
  let logger: Logger

  /// Serves until SIGTERM or SIGINT, then drains: no new calls, running ones finish within the grace time,
  /// the database is checkpointed and closed. A second signal ends the process at once, with exit code 1, and so does an
  /// end that hangs, ``ShutdownWatch/margin`` after the grace time. SIGHUP has the files of keys and certificates read
  /// again.
  ///
  /// - Parameter ready: called once the service listens, with its addresses, and with that of the metrics if they are
  ///   served.
  /// - Throws: `StartError` if the service cannot listen, `StoreError` if the database cannot be closed in
  ///   order.
  public func run(ready: @escaping @Sendable ([ListenAddress], ListenAddress?) -> Void) async throws {
    let log = LogWriter.of(configuration.logFormat)
    defer { log.flush(timeout: .seconds(1)) }
    let watch = ShutdownWatch(grace: configuration.shutdownGrace, writer: log)
    watch.listen()
    HangUp.shared.listen()
    let (metricsBound, tell) = AsyncStream.makeStream(of: ListenAddress?.self)
    let metricsServer = metricsServer { address in tell.yield(address) }
    if metricsServer == nil { tell.yield(nil) }
    let services: [any Service] = [
      GRPCService(server: server, health: health, watch: watch, logger: logger) {
        // Before any call is taken. Nothing comes if the metrics server could not start, which ends the group.
        guard let metrics = await metricsBound.first(where: { _ in true }) else { throw CancellationError() }
        return { addresses in
          logStart()
          ready(addresses, metrics)
        }
      },
      DatabaseWatch(repository: repository, monitor: health, claim: claim, logger: logger),
      KeyReload(authority: authority),
      HangUpReload(authority: authority, transport: server.transport, logger: logger),
    ]
    var group = ServiceGroupConfiguration(
      services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
      gracefulShutdownSignals: [.sigterm, .sigint], logger: Self.quiet(logger))
    if let metricsServer {
      // The first is stopped last: how the service drains can be watched.
      group.services.insert(.init(service: metricsServer, successTerminationBehavior: .ignore), at: 0)
    }
    group.maximumGracefulShutdownDuration = configuration.shutdownGrace
    var failure: (any Error)?
    do {
      try await ServiceGroup(configuration: group).run()
    } catch {
      failure = error
    }
    watch.arm()
    // Only now, when no call can need it any more.
    try await repository.close()
    claim.release()
    // What a service throws because it was cut off is no failure.
    if let failure, !health.isDraining { throw failure }
  }

  private func metricsServer(_ bound: @escaping @Sendable (ListenAddress) -> Void) -> MetricsServer? {
    guard let metrics, case .tcp(let host, let port)? = configuration.metrics else { return nil }
    return MetricsServer(
      host: host, port: port, registry: metrics, logger: Self.quiet(logger), bound: bound)
  }

  /// What an operator should know of the start, once it has succeeded.
  private func logStart() {
    if authority.hasNewKeys, let file = configuration.authority.keys {
      logger.notice("made a new signing key", metadata: ["file": "\(file.path)"])
    }
    for file in exposedFiles {
      logger.warning(
        "others than its owner may read or write a file of the database; chmod it to 600",
        metadata: ["file": "\(file)"]
      )
    }
    if !configuration.auth.isOn {
      // At a level that no setting hides.
      logger.log(
        level: max(logger.logLevel, .warning),
        "AUTHENTICATION IS OFF: every client may read and change every user")
    }
  }

  /// The group's own lines say what the start-up line and the exit code say.
  private static func quiet(_ logger: Logger) -> Logger {
    var logger = logger
    logger.logLevel = max(logger.logLevel, .warning)
    return logger
  }
}

/// Why the service could not start. One line for an operator.
public struct StartError: Error, CustomStringConvertible {
  public let description: String
}

/// The gRPC server as a service of the group.
private struct GRPCService: Service, CustomStringConvertible {
  let server: GRPCServer<Nghttp2ServerTransport>
  let health: HealthMonitor
  let watch: ShutdownWatch
  let logger: Logger
  /// Called before it serves; what it returns hears of the addresses.
  let begin: @Sendable () async throws -> @Sendable ([ListenAddress]) -> Void

  var description: String { "gRPC server" }

  func run() async throws {
    let ready = try await begin()
    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          do {
            try await server.serve()
          } catch let error as RuntimeError {
            throw StartError(description: error.cause.map { "\($0)" } ?? error.message)
          }
        }
        group.addTask {
          // Fails when the server does, which says why.
          guard let bound = try? await server.transport.addresses else { return }
          ready(bound)
        }
        try await group.waitForAll()
      }
      if Task.isCancelled, health.isDraining {
        logger.warning("the grace time is over: calls that were still running have been cut off")
      }
    } onGracefulShutdown: {
      // First of all, so that load balancers look elsewhere.
      health.drain()
      watch.arm()
      server.beginGracefulShutdown()
    }
  }
}

/// Reads the files with keys and certificates again at SIGHUP.
private struct HangUpReload: Service, CustomStringConvertible {
  let authority: TokenAuthority
  let transport: Nghttp2ServerTransport
  let logger: Logger

  var description: String { "reload at SIGHUP" }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      for await _ in HangUp.shared.events {
        transport.reloadCertificates()
        // What it finds the authority reports.
        await authority.reload()
        logger.notice("the files of keys and certificates were read again at SIGHUP")
      }
    }
  }
}
