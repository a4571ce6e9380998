import GRPCCore
import GRPCProtobuf
import PasswordHashing
import Synchronization
import Testing
import UserDomain
import UserProtos
import UserStoreSQLite

@testable import UserAPI

/// Tests the pipeline around handlers that wait, fail and are abandoned.
@Suite(.timeLimit(.minutes(10))) struct CallPipelineTests {
  private static let descriptor = User_V1_UserService.Method.ListUsers.descriptor

  private func pipeline(
    _ authorizer: Authorizer = .off, cause: CancellationCause = .client
  ) -> MethodPipeline {
    CallPipeline.test(authorizer, cause: cause).pipeline(of: Self.descriptor)
  }

  /// Runs `handler` behind the pipeline, and cancels its task when `cancelWhen` returns, as the transport does at the
  /// end of a call. Returns the call's error.
  private func call(
    cause: CancellationCause = .client,
    handler: @escaping @Sendable (RPCWriter<Int>) async throws -> Void,
    cancelWhen: (@Sendable () async -> Void)? = nil
  ) async throws {
    let pipeline = pipeline(cause: cause)
    let call = Task {
      let call = HandlerCall(Self.descriptor)
      let response: StreamingServerResponse<Int> = try await pipeline.stream(
        to: call.request, call.context
      ) { _ in
        handler
      }
      _ = try await response.accepted.get().producer(RPCWriter(wrapping: Discarding()))
    }
    if let cancelWhen {
      await cancelWhen()
      call.cancel()
    }
    try await call.value
  }

  private struct Discarding: RPCWriterProtocol {
    @concurrent func write(_ element: Int) async throws {}
    @concurrent func write(contentsOf elements: some Sequence<Int>) async throws {}
  }

  private func code(of body: () async throws -> Void) async -> RPCError.Code? {
    do {
      try await body()
      return nil
    } catch {
      return (error as? any RPCErrorConvertible)?.rpcErrorCode
    }
  }

  /// Reports its beginning, and waits until its task is cancelled.
  private final class Waiting: Sendable {
    private let begun = Mutex(false)

    var hasBegun: Bool { begun.withLock { $0 } }

    func wait() async throws {
      begun.withLock { $0 = true }
      // Cancellation ends the sleep; no time passes.
      while true { try await Task.sleep(for: .seconds(3_600)) }
    }

    func untilBegun() async {
      while !hasBegun { await Task.yield() }
    }
  }

  @Test("a call that its client cancels stops its handler and ends as CANCELLED")
  func cancelled() async {
    let waiting = Waiting()
    let code = await code {
      try await call(handler: { _ in try await waiting.wait() }, cancelWhen: { await waiting.untilBegun() })
    }
    #expect(code == .cancelled)
  }

  @Test("a call whose deadline has passed ends as DEADLINE_EXCEEDED")
  func deadline() async {
    let waiting = Waiting()
    let code = await code {
      try await call(
        cause: .deadline, handler: { _ in try await waiting.wait() },
        cancelWhen: { await waiting.untilBegun() })
    }
    #expect(code == .deadlineExceeded)
  }

  @Test("a call cut off by the service ends as UNAVAILABLE")
  func cutOff() async {
    let waiting = Waiting()
    let code = await code {
      try await call(
        cause: .shutdown, handler: { _ in try await waiting.wait() },
        cancelWhen: { await waiting.untilBegun() })
    }
    #expect(code == .unavailable)
  }

  @Test(
    "a handler's error becomes its status; an error that clients must not see becomes INTERNAL",
    arguments: [
      (UserError.notFound("x"), RPCError.Code.notFound), (.emailAlreadyRegistered, .alreadyExists),
      (.storage(StorageFault(kind: .corrupt, resultCode: 11, message: "the inside")), .internalError),
      (.passwordHashing("the inside"), .internalError),
    ])
  func mapped(error: UserError, code: RPCError.Code) async {
    do {
      try await call(handler: { _ in throw error })
      Issue.record("nothing was thrown")
    } catch {
      let status = error as? RPCError
      #expect(status?.code == code)
      #expect(status?.message.contains("inside") == false)
    }
  }

  @Test("the handler of a refused call never begins")
  func refused() async throws {
    let authorizer = Authorizer(
      verifier: OneToken(subject: "billing"), revocations: RevocationList(), reflectionIsPublic: true,
      peerLimit: nil)
    for (token, code) in [("good", RPCError.Code.permissionDenied), ("bad", .unauthenticated)] {
      let call = HandlerCall(Self.descriptor, metadata: ["authorization": "Bearer \(token)"])
      let ended = await self.code {
        _ = try await pipeline(authorizer).respond(to: call.request, call.context) { _ in
          Issue.record("the handler was begun")
          return 0
        }
      }
      #expect(ended == code)
    }
  }

  @Test(
    "the keys are read again, once, for a token of an unknown key, which is valid if its key has appeared"
  )
  func unknownKey() async throws {
    let verifier = OneToken(subject: "billing", scopes: .usersRead)
    let count = Mutex(0)
    let appears = Mutex(true)
    let authorizer = Authorizer(
      verifier: verifier, revocations: RevocationList(), reflectionIsPublic: true, peerLimit: nil
    ) {
      count.withLock { $0 += 1 }
      if appears.withLock({ $0 }) { verifier.fail(nil) }
    }
    let call = HandlerCall(Self.descriptor, metadata: ["authorization": "Bearer good"])
    func subject() async throws -> String {
      try await pipeline(authorizer).respond(to: call.request, call.context) { $0.caller.principal.subject }
        .messages()[0]
    }
    verifier.fail(.unknownKey)
    #expect(try await subject() == "billing")
    #expect(count.withLock { $0 } == 1)
    appears.withLock { $0 = false }
    verifier.fail(.unknownKey)
    #expect(await code { _ = try await subject() } == .unauthenticated)
    #expect(count.withLock { $0 } == 2)
    verifier.fail(.untrusted)
    #expect(await code { _ = try await subject() } == .unauthenticated)
    #expect(count.withLock { $0 } == 2)
  }

  @Test("exactly the methods of the contract are registered")
  func complete() async throws {
    let calls = CallPipeline.test()
    let repository = try SQLiteUserRepository(.inMemory)
    let hasher = try Argon2idHasher()
    let directory = UserDirectory(repository: repository, hasher: hasher)
    var router = RPCRouter<NoTransport>()
    UserServiceHandler(
      directory: directory, pageTokens: PageTokenCodec(key: [UInt8](repeating: 1, count: 32)), calls: calls
    ).registerMethods(with: &router)
    AuthServiceHandler(
      sessions: SessionDirectory(
        users: repository, sessions: repository, attempts: PasswordAttempts(repository), hasher: hasher,
        issuer: NoTokens(), key: [UInt8](repeating: 1, count: SessionDirectory.keyLength)),
      publicKeys: { [] }, calls: calls
    ).registerMethods(with: &router)
    try HealthHandler(monitor: await HealthMonitor(services: []) { true }, calls: calls)
      .registerMethods(with: &router)
    try ReflectionHandler(descriptorSet: DescriptorSet.serialized, services: [], calls: calls)
      .registerMethods(with: &router)
    #expect(
      Set(router.methods)
        == Set(
          User_V1_UserService.Method.descriptors + Auth_V1_AuthService.Method.descriptors
            + Grpc_Health_V1_Health.Method.descriptors + MethodDescriptor.serverReflection))
  }

  private struct NoTokens: AccessTokenIssuer {
    func issue(_ claims: AccessTokenClaims) throws(UserError) -> String { throw .signing("") }
  }
}
