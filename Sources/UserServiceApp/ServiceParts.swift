import GRPCCore
import Logging
import PasswordHashing
import PrometheusMetrics
import TokenSigning
import UserAPI
import UserDomain
import UserProtos
import UserStore

/// What the service is made of below its calls, opened in this order: the store, the keys, the hasher, the use cases.
struct ServiceParts: Sendable {
  let repository: any ServiceStore
  /// The files of the database that users other than their owner may read or write.
  let exposedFiles: [String]
  let authority: TokenAuthority
  let directory: UserDirectory
  let sessions: SessionDirectory
  let pageTokens: PageTokenCodec
  let health: HealthMonitor
  private let hasher: Argon2idHasher

  /// Opens the parts.
  ///
  /// - Throws: `StoreError` if the database cannot be used, `KeyFailure` if the keys cannot.
  init(_ configuration: ServiceConfiguration, logger: Logger) async throws {
    let opened = try await OpenedStore(configuration)
    repository = opened.store
    exposedFiles = opened.exposedFiles
    authority = try await TokenAuthority(configuration.authority) { logger.log($0) }
    hasher = try Argon2idHasher(
      parameters: configuration.passwords.parameters, limits: configuration.passwords.limits
    ) { memory in
      logger.error(
        "a stored password hash needs more memory than argon2.budget; its user cannot sign in",
        metadata: ["bytes": "\(memory)"])
    }
    let attempts = PasswordAttempts(repository)
    directory = UserDirectory(
      repository: repository, hasher: hasher, passwordPolicy: configuration.passwordPolicy,
      retention: configuration.deletedRetention, attempts: attempts)
    sessions = SessionDirectory(
      users: repository, sessions: repository, attempts: attempts, hasher: hasher, issuer: authority,
      key: try await Self.secret("refresh_token", length: SessionDirectory.keyLength, of: repository),
      policy: configuration.auth.sessions)
    pageTokens = PageTokenCodec(
      key: try await Self.secret("page_token", length: PageTokenCodec.keyLength, of: repository))
    health = await Self.healthMonitor(repository, offersReflection: configuration.offersReflection)
  }

  /// The database's own secret of that name. It is the first write of a start, and a full disk may end it.
  private static func secret(
    _ name: String, length: Int, of repository: any ServiceStore
  ) async throws -> [UInt8] {
    do {
      return try await repository.secret(name, length: length)
    } catch UserError.storage(let fault) {
      throw repository.failure(fault)
    }
  }

  private static func healthMonitor(
    _ repository: any ServiceStore, offersReflection: Bool
  ) async -> HealthMonitor {
    var services = [
      User_V1_UserService.descriptor.fullyQualifiedService,
      Auth_V1_AuthService.descriptor.fullyQualifiedService,
      Grpc_Health_V1_Health.descriptor.fullyQualifiedService,
    ]
    if offersReflection {
      services += ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
    }
    return await HealthMonitor(services: services) {
      // What the last writes have shown; a check itself writes nothing.
      if repository.writeFault != nil { return false }
      do {
        _ = try await repository.lastPlace()
        return true
      } catch {
        return false
      }
    }
  }

  /// What decides who may call.
  func authorizer(_ configuration: AuthConfiguration) -> Authorizer {
    guard configuration.isOn else { return .off }
    return Authorizer(
      verifier: authority.verifier, revocations: repository.revocations,
      reflectionIsPublic: configuration.reflectionIsPublic, peerLimit: configuration.peerLimit,
      refreshKeys: { [authority] in await authority.refresh() },
      refreshRevocations: repository.revocationCatchUp)
  }

  /// Has `metrics` ask for the lengths of the queues.
  func observe(in metrics: PrometheusRegistry) {
    metrics.observe(
      "user_service.writes.waiting", .gauge, help: "Writes that no transaction has taken yet."
    ) { [repository] in
      Double(repository.waitingWrites)
    }
    metrics.observe(
      "user_service.hashes.waiting", .gauge, help: "Password hashes that wait for a thread, or for memory."
    ) { [hasher] in
      Double(hasher.waitingCount)
    }
  }
}
