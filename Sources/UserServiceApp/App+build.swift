import GRPCCore
import GRPCNIOTransportHTTP2
import Logging
import PasswordHashing
import UserAPI
import UserDomain
import UserProtos
import UserStore

extension UserServiceApp {
  /// Opens the database, migrates it if the configuration says so, and puts the service together.
  ///
  /// - Throws: `StoreError` if the database cannot be used.
  public static func build(_ configuration: ServiceConfiguration) async throws -> UserServiceApp {
    let logger = makeLogger(configuration)
    let repository = try SQLiteUserRepository(
      DatabaseLocation(path: configuration.database),
      schema: configuration.migrates ? .migrate : .requireCurrent)
    let directory = UserDirectory(
      repository: repository, hasher: try Argon2idHasher(parameters: configuration.argon2))
    let pageTokens = PageTokenCodec(
      key: try await repository.secret("page_token", length: PageTokenCodec.keyLength))

    var names = [
      User_V1_UserService.descriptor.fullyQualifiedService,
      Grpc_Health_V1_Health.descriptor.fullyQualifiedService,
    ]
    if configuration.offersReflection {
      names += ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
    }
    let health = HealthMonitor(services: names) {
      do {
        _ = try repository.newestUserID()
        return true
      } catch {
        return false
      }
    }
    let users = UserServiceHandler(
      directory: directory, pageTokens: pageTokens, bulkLimits: BulkLimits(rows: configuration.bulkRows))
    var services: [any RegistrableRPCService] = [
      users, users.bulkRegistration, HealthHandler(monitor: health),
    ]
    if configuration.offersReflection {
      services.append(try ReflectionHandler(descriptorSet: DescriptorSet.serialized, services: names))
    }
    let server = GRPCServer(
      transport: makeTransport(configuration), services: services,
      interceptors: [
        LoggingInterceptor(logger: logger),
        ErrorInterceptor(logger: logger),
        CancellationInterceptor(isDraining: { health.isDraining }),
      ])
    return UserServiceApp(
      configuration: configuration, repository: repository, server: server, health: health, logger: logger)
  }

  /// The one place that knows which transport serves.
  private static func makeTransport(
    _ configuration: ServiceConfiguration
  ) -> TimeoutCheckingTransport<HTTP2ServerTransport.Posix> {
    let address = configuration.listen
    let transport = HTTP2ServerTransport.Posix(
      address: address.isIPv6
        ? .ipv6(host: address.host, port: address.port) : .ipv4(host: address.host, port: address.port),
      transportSecurity: .plaintext,
      config: .defaults { config in
        // The seed's client pings every 30 s, calls or none; gRPC's own default of 5 minutes would cut it off.
        config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(10)
        config.connection.keepalive.clientBehavior.allowWithoutCalls = true
      })
    return TimeoutCheckingTransport(base: transport)
  }

  private static func makeLogger(_ configuration: ServiceConfiguration) -> Logger {
    var logger = Logger(label: "user-service") { label in
      switch configuration.logFormat {
      case .text: StreamLogHandler.standardError(label: label)
      case .json: JSONLogHandler(label: label)
      }
    }
    logger.logLevel = configuration.logLevel
    return logger
  }
}
