public import GRPCCore
public import GRPCNghttp2Transport
import Logging
public import PrometheusMetrics
import UserAPI

extension UserServiceApp {
  /// Opens the database, migrates it if the configuration says so, and puts the service together.
  ///
  /// - Throws: `StoreError` if the database cannot be used or another service serves it, `TLSIdentity.Failure` if the
  ///   certificate cannot be used, `KeyFailure` if the keys cannot.
  public static func build(_ configuration: ServiceConfiguration) async throws -> UserServiceApp {
    let logger = makeLogger(configuration)
    // Before the database is opened, and so migrated.
    let claim = try DatabaseClaim(configuration, logger: logger)
    let security = try configuration.tls.map { files in try TLSIdentity(files) }
    let metrics = configuration.metrics.map { _ in PrometheusRegistry(help: CallMetrics.help) }
    var transport = transportLimits(configuration.transport, logger)
    transport.faultDetails = { $0.details }
    let assembly = try await assemble(configuration, metrics: metrics) { [transport] inlineMethods in
      Nghttp2ServerTransport(
        listeners: configuration.listen.map { Listener($0, security: security) },
        configuration: transport, receiveLimits: ReceiveLimits.all, inlineMethods: inlineMethods,
        logger: logger)
    }
    if let metrics {
      ProcessMetrics.register(in: metrics)
      observe(assembly.server.transport, LogWriter.of(configuration.logFormat), metrics)
    }
    return UserServiceApp(
      configuration: configuration, claim: claim, repository: assembly.parts.repository,
      exposedFiles: assembly.parts.exposedFiles, server: assembly.server, health: assembly.parts.health,
      authority: assembly.parts.authority,
      metrics: metrics, logger: logger)
  }

  /// The service before it runs.
  public struct Assembly {
    /// The server, with all services.
    public let server: GRPCServer<Nghttp2ServerTransport>
    let parts: ServiceParts
  }

  /// Puts the service together over the transport that `makeTransport` makes, which may answer the given methods
  /// without their handlers. `metrics` are told of its calls and its queues, if there are any.
  ///
  /// - Throws: `StoreError` if the database cannot be used, `KeyFailure` if the keys cannot.
  public static func assemble(
    _ configuration: ServiceConfiguration, metrics: PrometheusRegistry?,
    makeTransport: ([InlineMethod]) -> Nghttp2ServerTransport
  ) async throws -> Assembly {
    let logger = makeLogger(configuration)
    if !MemoryAllocator.returnsUnusedMemory {
      logger.notice("this version of jemalloc does not return the memory of a load while the service is idle")
    }
    let parts = try await ServiceParts(configuration, logger: logger)
    if let metrics { parts.observe(in: metrics) }
    let calls = CallPipeline(
      authorizer: parts.authorizer(configuration.auth),
      observer: CallObserver(log: CallLog(logger), metrics: metrics.map { CallMetrics(factory: $0) }),
      errors: ErrorMapper(logger: logger)
    ) { context in
      (context.transportSpecific as? Nghttp2ServerTransport.Context)?.cause ?? .client
    }
    let services = try Services(parts, configuration, calls: calls)
    return Assembly(
      server: GRPCServer(transport: makeTransport(services.inlineMethods), router: services.router()),
      parts: parts)
  }

  private static func makeLogger(_ configuration: ServiceConfiguration) -> Logger {
    var logger = Logger(label: "user-service") { label in
      QueuedLogHandler(label: label, writer: .of(configuration.logFormat))
    }
    logger.logLevel = configuration.logLevel
    return logger
  }

  /// `configuration` with as many connections as the process may have descriptors for.
  private static func transportLimits(
    _ configuration: Nghttp2ServerTransport.Configuration, _ logger: Logger
  ) -> Nghttp2ServerTransport.Configuration {
    var configuration = configuration
    let descriptors = DescriptorLimit.raise()
    let wanted = configuration.maxConnections
    configuration.maxConnections = DescriptorLimit.connections(wanted: wanted, limit: descriptors)
    if configuration.maxConnections < wanted {
      logger.warning(
        "grpc.max.connections is lowered: the process may not open more files",
        metadata: [
          "setting": "\(wanted)", "connections": "\(configuration.maxConnections)",
          "descriptors": "\(descriptors)",
        ])
    }
    return configuration
  }

  private static func observe(
    _ transport: Nghttp2ServerTransport, _ log: LogWriter, _ metrics: PrometheusRegistry
  ) {
    metrics.observe("user_service.connections", .gauge, help: "Open gRPC connections.") {
      Double(transport.connectionCount)
    }
    metrics.observe(
      "user_service.connections.refused", .counter,
      help: "Connections closed as they came, because of the limits of connections."
    ) { Double(transport.refusedConnectionCount) }
    metrics.observe(
      "user_service.log.lines.dropped", .counter,
      help: "Lines of the log that were lost because it was not read in time."
    ) { Double(log.droppedLines) }
  }
}

extension LogWriter {
  /// The log of this process, in `format`.
  static func of(_ format: ServiceConfiguration.LogFormat) -> LogWriter {
    switch format {
    case .text: .text
    case .json: .json
    }
  }
}
