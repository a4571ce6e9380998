public import GRPCCore
public import GRPCNghttp2Transport
import Logging
import PasswordHashing
public import PrometheusMetrics
import TokenSigning
public import UserAPI
import UserDomain
import UserProtos
import UserStore

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
    let parts = try await assemble(configuration, metrics: metrics) { [transport] inlineMethods in
      Nghttp2ServerTransport(
        listeners: configuration.listen.map { Listener($0, security: security) },
        configuration: transport, receiveLimits: ReceiveLimits.all, inlineMethods: inlineMethods,
        logger: logger)
    }
    if let metrics {
      ProcessMetrics.register(in: metrics)
      observe(parts.server.transport, LogWriter.of(configuration.logFormat), metrics)
    }
    return UserServiceApp(
      configuration: configuration, claim: claim, repository: parts.repository, server: parts.server,
      health: parts.health,
      authority: parts.authority, metrics: metrics, logger: logger)
  }

  /// The service before it runs.
  public struct Parts {
    /// The server, with all services and interceptors.
    public let server: GRPCServer<Nghttp2ServerTransport>
    let repository: SQLiteUserRepository
    let health: HealthMonitor
    let authority: TokenAuthority
  }

  /// Puts the service together over the transport that `makeTransport` makes, which may answer some methods
  /// without their handlers. `metrics` are told of its calls and its queues; nil for nobody.
  ///
  /// - Throws: `StoreError` if the database cannot be used, `KeyFailure` if the keys cannot.
  public static func assemble(
    _ configuration: ServiceConfiguration, metrics: PrometheusRegistry?,
    makeTransport: ([InlineMethod]) -> Nghttp2ServerTransport
  ) async throws -> Parts {
    let logger = makeLogger(configuration)
    var store = SQLiteUserRepository.Configuration()
    store.busyTimeout = configuration.busyTimeout
    let repository = try SQLiteUserRepository(
      DatabaseLocation(path: configuration.database),
      schema: configuration.migrates ? .migrate : .requireCurrent, configuration: store)
    let authority = try await TokenAuthority(configuration.authority) { logger.log($0) }
    let hasher = try Argon2idHasher(
      parameters: configuration.passwords.parameters, limits: configuration.passwords.limits)
    let attempts = PasswordAttempts(repository)
    let directory = UserDirectory(
      repository: repository, hasher: hasher, passwordPolicy: configuration.passwordPolicy, attempts: attempts
    )
    let sessions = SessionDirectory(
      users: repository, sessions: repository, attempts: attempts, hasher: hasher, issuer: authority,
      key: try await secret("refresh_token", length: SessionDirectory.keyLength, of: repository),
      policy: configuration.auth.sessions)
    let pageTokens = PageTokenCodec(
      key: try await secret("page_token", length: PageTokenCodec.keyLength, of: repository))

    var names = [
      User_V1_UserService.descriptor.fullyQualifiedService,
      Auth_V1_AuthService.descriptor.fullyQualifiedService,
      Grpc_Health_V1_Health.descriptor.fullyQualifiedService,
    ]
    if configuration.offersReflection {
      names += ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
    }
    let health = HealthMonitor(services: names) {
      // What the last writes have shown; a check itself writes nothing.
      if repository.writeFault != nil { return false }
      do {
        _ = try repository.newestUserID()
        return true
      } catch {
        return false
      }
    }
    let authorizer: Authorizer? =
      if configuration.auth.isOn {
        Authorizer(
          verifier: authority.verifier, revocations: repository.revocations,
          reflectionIsPublic: configuration.auth.reflectionIsPublic, peerLimit: configuration.auth.peerLimit,
          refreshKeys: { await authority.refresh() })
      } else {
        nil
      }
    let users = UserServiceHandler(
      directory: directory, pageTokens: pageTokens, bulkLimits: BulkLimits(rows: configuration.bulkRows),
      defaultCaller: authorizer == nil ? .unrestricted : .anonymous)
    // Registered one by one and not as `any RegistrableRPCService`, so that the optimiser can specialise the
    // way of a call through GRPCCore for the transport and its messages.
    var router = RPCRouter<Nghttp2ServerTransport>()
    users.registerMethods(with: &router)
    AuthServiceHandler(sessions: sessions) { authority.publicKeys }.registerMethods(with: &router)
    HealthHandler(monitor: health).registerMethods(with: &router)
    let reflection =
      configuration.offersReflection
      ? try ReflectionHandler(descriptorSet: DescriptorSet.serialized, services: names) : nil
    reflection?.registerMethods(with: &router)
    let observer = CallObserver(
      log: CallLog(logger), metrics: metrics.map { CallMetrics(methods: router.methods, factory: $0) })
    metrics?.observe("user_service.writes.waiting", .gauge, help: "Writes that no transaction has taken yet.")
    {
      Double(repository.waitingWrites)
    }
    metrics?.observe(
      "user_service.hashes.waiting", .gauge, help: "Password hashes that wait for a thread, or for memory."
    ) {
      Double(hasher.waitingCount)
    }
    let errors = ErrorMapper(logger: logger)
    router.registerInterceptors(
      pipeline: interceptors(authorizer, observer, errors).map { .apply($0, to: .all) })
    let getUser = InlineGetUser(repository: repository, authorizer: authorizer, observer: observer)
    let createUser = InlineCreateUser(
      directory: directory, authorizer: authorizer, observer: observer, errors: errors)
    let watch = try InlineHealthWatch(
      monitor: health, authorizer: authorizer, observer: observer, errors: errors)
    let streamed =
      (users.streamedMethods + (reflection?.streamedMethods ?? [])).map {
        $0.inline(authorizer: authorizer, observer: observer, errors: errors)
      }
    let transport = makeTransport(
      [
        InlineMethod(InlineGetUser.method) { getUser.answer(&$0) },
        InlineMethod(InlineCreateUser.method) { createUser.answer(&$0) },
        InlineMethod(streaming: InlineHealthWatch.method) { watch.accept($0) },
      ] + streamed.map { InlineMethod($0) })
    let server = GRPCServer(transport: transport, router: router)
    return Parts(server: server, repository: repository, health: health, authority: authority)
  }

  /// The database's own secret of that name. It is the first write of a start, and a full disk may end it.
  private static func secret(
    _ name: String, length: Int, of repository: SQLiteUserRepository
  ) async throws -> [UInt8] {
    do {
      return try await repository.secret(name, length: length)
    } catch UserError.storage(let fault) {
      throw repository.failure(fault)
    }
  }

  /// What every call goes through, outermost first.
  private static func interceptors(
    _ authorizer: Authorizer?, _ observer: CallObserver?, _ errors: ErrorMapper
  ) -> [any ServerInterceptor] {
    var interceptors: [any ServerInterceptor] = []
    if let observer { interceptors.append(ObservationInterceptor(observer)) }
    interceptors.append(
      ErrorInterceptor(errors) { context in
        (context.transportSpecific as? Nghttp2ServerTransport.Context)?.cause ?? .client
      })
    if let authorizer { interceptors.append(AuthorizationInterceptor(authorizer)) }
    return interceptors
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

// UserAPI and the transport do not know each other.

extension MessageBytes: FramedMessageBytes {}

extension Nghttp2ServerTransport.CallFault {
  /// The google.rpc details of the status, as the contract promises them. A method that does not exist has no contract.
  var details: Metadata {
    let cause: ErrorReason
    switch reason {
    case .unknownMethod: return [:]
    case .malformedCall: cause = .malformedCall
    case .deadlineExceeded: cause = .deadlineExceeded
    case .shuttingDown: cause = .shuttingDown
    case .overloaded: cause = .overloaded
    case .handlerFailure: cause = .internal
    }
    return ErrorMapper.details(of: code, message, reason: cause)
  }
}

extension InlineStream.Responses: InlineResponses {}

extension InlineStream: InlineStreamingCall {
  public var cause: @Sendable () -> CancellationCause {
    let context = context
    return { context.cause }
  }
}

extension InlineCall: InlineUnaryCall {
  public mutating func respondLater(
    _ response:
      @escaping @Sendable (_ cause: @escaping @Sendable () -> CancellationCause) async -> Result<
        [UInt8], RPCError
      >
  ) {
    respondLater { context in await response { context.cause } }
  }
}

extension Nghttp2ServerTransport.Context {
  fileprivate var cause: CancellationCause {
    if isCutOff { return .shutdown }
    return deadlineHasPassed ? .deadline : .client
  }
}

extension InlineMethod {
  /// `method`, as the transport wants it.
  fileprivate init(_ method: InlineStreamedMethod) {
    self.init(requests: method.descriptor) { call in
      switch method.accept(call) {
      case .taken(let call): .taken(Requests(call: call))
      case .refused(let error): .refused(error)
      case .declined: .declined
      }
    }
  }

  private struct Requests: InlineRequests {
    var call: InlineStreamedCall

    mutating func receive(_ message: MessageBytes) async -> InlineStep {
      InlineStep(await call.receive(message.bytes))
    }

    mutating func requestEnded(_ failure: RPCError?) async -> InlineStep {
      InlineStep(await call.requestEnded(failure))
    }

    mutating func callEnded() { call.cancelled() }
  }
}

extension InlineStep {
  fileprivate init(_ step: InlineStreamedCall.Step) {
    switch step {
    case .goOn(nil): self = .next
    case .goOn(let answer?): self = .send(MessageBytes(answer))
    case .end(let answer, let error): self = .end(answer.map { MessageBytes($0) }, error)
    }
  }
}
