import GRPCCore
import GRPCNghttp2Transport
import TokenSigning
import UserAPI
import UserProtos

/// The gRPC services over the parts.
struct Services {
  private let users: UserServiceHandler
  private let auth: AuthServiceHandler
  private let health: HealthHandler
  /// Nil if it is not offered.
  private let reflection: ReflectionHandler?

  /// The services, whose calls go through `calls`.
  init(_ parts: ServiceParts, _ configuration: ServiceConfiguration, calls: CallPipeline) throws {
    users = UserServiceHandler(
      directory: parts.directory, pageTokens: parts.pageTokens,
      bulkLimits: BulkLimits(rows: configuration.bulkRows), calls: calls)
    auth = AuthServiceHandler(
      sessions: parts.sessions,
      publicKeys: { [authority = parts.authority] in
        authority.publicKeys
      }, calls: calls)
    health = try HealthHandler(monitor: parts.health, calls: calls)
    reflection =
      configuration.offersReflection
      ? try ReflectionHandler(
        descriptorSet: DescriptorSet.serialized, services: parts.health.services, calls: calls) : nil
  }

  /// The handlers of all methods.
  func router() -> RPCRouter<Nghttp2ServerTransport> {
    // Registered one by one and not as `any RegistrableRPCService`, so that the optimiser can specialise the
    // way of a call through GRPCCore for the transport and its messages.
    var router = RPCRouter<Nghttp2ServerTransport>()
    users.registerMethods(with: &router)
    auth.registerMethods(with: &router)
    health.registerMethods(with: &router)
    reflection?.registerMethods(with: &router)
    return router
  }

  /// The methods that the transport can answer without their handlers.
  var inlineMethods: [InlineMethod] {
    let streamed = users.streamedMethods + (reflection?.streamedMethods ?? [])
    return [
      InlineMethod(users.getUser), InlineMethod(users.getUserByEmail), InlineMethod(users.createUser),
      InlineMethod(health.watch),
    ] + streamed.map { InlineMethod($0) }
  }
}
