public import GRPCCore
public import GRPCNghttp2Transport
import Logging
import PasswordHashing
public import UserAPI
import UserDomain
import UserProtos
import UserStore

extension UserServiceApp {
  /// Opens the database, migrates it if the configuration says so, and puts the service together.
  ///
  /// - Throws: `StoreError` if the database cannot be used, `TLSIdentity.Failure` if the certificate cannot.
  public static func build(_ configuration: ServiceConfiguration) async throws -> UserServiceApp {
    let logger = makeLogger(configuration)
    let security = try configuration.tls.map { files in try TLSIdentity(files) }
    let transport = Nghttp2ServerTransport(
      listeners: configuration.listen.map { Listener($0, security: security) },
      configuration: configuration.transport, logger: logger)
    let parts = try await assemble(configuration, transport: transport)
    return UserServiceApp(
      configuration: configuration, repository: parts.repository, server: parts.server, health: parts.health,
      logger: logger)
  }

  /// The service over any transport, before it runs.
  public struct Parts<Transport: ServerTransport> {
    /// The server, with all services and interceptors.
    public let server: GRPCServer<Transport>
    let repository: SQLiteUserRepository
    let health: HealthMonitor
  }

  /// Puts the service together over `transport`.
  ///
  /// - Throws: `StoreError` if the database cannot be used.
  public static func assemble<Transport: ServerTransport>(
    _ configuration: ServiceConfiguration, transport: Transport
  ) async throws -> Parts<Transport> {
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
    // Registered one by one and not as `any RegistrableRPCService`, so that the optimiser can specialise the
    // way of a call through GRPCCore for the transport and its messages.
    var router = RPCRouter<Transport>()
    users.registerMethods(with: &router)
    HealthHandler(monitor: health).registerMethods(with: &router)
    if configuration.offersReflection {
      try ReflectionHandler(descriptorSet: DescriptorSet.serialized, services: names).registerMethods(
        with: &router)
    }
    var interceptors: [any ServerInterceptor] = [
      ErrorInterceptor(logger: logger) { context in
        (context.transportSpecific as? Nghttp2ServerTransport.Context)?.deadlineHasPassed ?? false
      }
    ]
    if LoggingInterceptor.isEnabled(for: logger) {
      interceptors.insert(LoggingInterceptor(logger: logger), at: 0)
    }
    router.registerInterceptors(pipeline: interceptors.map { .apply($0, to: .all) })
    let server = GRPCServer(transport: transport, router: router)
    return Parts(server: server, repository: repository, health: health)
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

/// UserAPI and the transport do not know each other.
extension MessageBytes: FramedMessageBytes {}
