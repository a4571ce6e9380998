import GRPCCore
import GRPCProtobuf
import PasswordHashing
import PrometheusMetrics
import SwiftProtobuf
import Testing
import UserDomain
import UserProtos
import UserStoreSQLite

@testable import UserAPI

/// Tests the unary methods with an inline road: both roads give the same results.
@Suite struct UnaryMethodTests {
  private typealias Methods = User_V1_UserService.Method

  private let repository: SQLiteUserRepository
  private let directory: UserDirectory
  private let registry = PrometheusRegistry(help: CallMetrics.help)

  init() throws {
    repository = try SQLiteUserRepository(.inMemory)
    directory = UserDirectory(repository: repository, hasher: try Argon2idHasher())
  }

  private func pipeline(_ authorizer: Authorizer) -> CallPipeline {
    .test(authorizer, observer: CallObserver(log: nil, metrics: CallMetrics(factory: registry)))
  }

  private func authorizer(_ verifier: OneToken, burst: Int = 1_000) -> Authorizer {
    Authorizer(
      verifier: verifier, revocations: RevocationList(), reflectionIsPublic: true,
      peerLimit: PeerLimit(rate: 0.001, burst: burst))
  }

  private func getUser(_ authorizer: Authorizer = .off) -> UnaryMethod<GetUser> {
    UnaryMethod(
      GetUser(directory: directory),
      pipeline(authorizer).pipeline(of: Methods.GetUser.descriptor, isInline: true))
  }

  private func createUser(_ authorizer: Authorizer = .off) -> UnaryMethod<CreateUser> {
    UnaryMethod(
      CreateUser(directory: directory),
      pipeline(authorizer).pipeline(of: Methods.CreateUser.descriptor, isInline: true))
  }

  /// Returns the handler's response.
  private func handled<RPC>(
    _ method: UnaryMethod<RPC>, _ message: [UInt8], token: String? = nil
  ) async -> Result<[UInt8], RPCError> {
    let call = HandlerCall(
      method.descriptor, metadata: token.map { ["authorization": "Bearer \($0)"] } ?? [:], messages: [message]
    )
    do {
      let messages = try await method.handle(call.request, call.context).messages()
      #expect(messages.count == 1)
      return .success(messages[0])
    } catch let error as RPCError {
      return .failure(error)
    } catch {
      Issue.record("\(error)")
      return .failure(RPCError(code: .unknown, message: ""))
    }
  }

  private func request(_ id: String) throws -> [UInt8] {
    try User_V1_GetUserRequest.with { $0.userID = id }.serializedBytes()
  }

  private func creation(
    _ email: String, password: String = "", requestID: String = ""
  ) throws -> [UInt8] {
    try User_V1_CreateUserRequest.with {
      ($0.email, $0.password, $0.requestID) = (email, password, requestID)
    }.serializedBytes()
  }

  /// Returns the numbers of calls of the method: started, answered inline, ended.
  private func counts(_ method: String) -> [Int] {
    let lines = registry.text().split(separator: "\n").filter { $0.contains("/\(method)\"") }
    return ["grpc_server_call_started_total", "user_service_calls_inline_total", "duration_seconds_count"].map
    {
      name in
      lines.filter { $0.contains(name) }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
        .reduce(0, +)
    }
  }

  @Test("both roads return the same bytes of a user, even for an id in capitals, and count each call")
  func user() async throws {
    let user = try await repository.create(
      .init(email: EmailAddress("ada@example.com"), name: UserName("Ada")))
    let method = getUser()
    for id in ["\(user.id)", "\(user.id)".uppercased()] {
      #expect(try await method.answer(request(id)) == .success(user.serialized))
      #expect(try await handled(method, request(id)) == .success(user.serialized))
    }
    #expect(counts("GetUser") == [4, 2, 4])
  }

  @Test("GetUser answers at once, and only a failure takes a task")
  func atOnce() async throws {
    let user = try await repository.create(
      .init(email: EmailAddress("ada@example.com"), name: UserName("Ada")))
    var call = InlineTestCall(try request("\(user.id)"))
    getUser().answer(&call)
    #expect(call.given != nil)
    var failing = InlineTestCall(try request("nobody"))
    getUser().answer(&failing)
    #expect(failing.later != nil)
  }

  @Test(
    "both roads fail alike",
    arguments: [
      [], [0xff, 0xff], [10, 36] + [UInt8](repeating: 0xff, count: 36), [10, 1, 0x41],
      [10, 36] + Array("01A20EE6-9BA4-70F2-8D8E-3D5B8E9FE3A1".utf8),
      [10, 36] + Array("01a20ee6-9ba4-70f2-8d8e-3d5b8e9fe3a1".utf8),
    ])
  func failures(message: [UInt8]) async throws {
    for (inline, handled) in [
      (await getUser().answer(message), await handled(getUser(), message)),
      (await createUser().answer(message), await handled(createUser(), message)),
    ] {
      let inline = try #require(inline?.failure)
      let handled = try #require(handled.failure)
      #expect(inline == handled)
      #expect(try inline.unpackGoogleRPCStatus() == handled.unpackGoogleRPCStatus())
    }
    #expect(counts("GetUser") == [2, 1, 2] && counts("CreateUser") == [2, 1, 2])
  }

  @Test("the error of an unknown user has the id as the client wrote it")
  func notFound() async throws {
    let id = "01A20EE6-9BA4-70F2-8D8E-3D5B8E9FE3A1"
    #expect(try await getUser().answer(request(id))?.failure?.message == "User \(id) not found")
  }

  @Test("users are created inline, with a password and without, and a request id makes retries idempotent")
  func creations() async throws {
    let method = createUser()
    let id = "01a20ee6-9ba4-70f2-8d8e-3d5b8e9fe3a1"
    for (email, password) in [("ada@example.com", ""), ("bob@example.com", "correct horse")] {
      let message = try creation(email, password: password, requestID: password.isEmpty ? "" : id)
      let bytes = try #require(await method.answer(message)).get()
      let user = try User_V1_User(serializedBytes: bytes)
      #expect(user.email == email)
      #expect(try await getUser().answer(request(user.id)) == .success(bytes))
      let hash = try repository.credential(email: EmailAddress(email))?.passwordHash
      #expect((hash == nil) == password.isEmpty)
      if !password.isEmpty { #expect(await handled(method, message) == .success(bytes)) }
    }
    #expect(try await method.answer(creation("ADA@example.com"))?.failure?.code == .alreadyExists)
    #expect(
      try await method.answer(creation("cid@example.com", password: "x"))?.failure?.code == .invalidArgument)
    #expect(counts("CreateUser") == [5, 4, 5])
  }

  @Test("an undecided call is left to the handler: it is neither started nor counted")
  func undecided() async throws {
    let user = try await repository.create(.init(email: EmailAddress("ada@example.com"), name: UserName("")))
    let authorizer = authorizer(OneToken(subject: "\(user.id)", epoch: 0), burst: 2)
    let (get, create) = (getUser(authorizer), createUser(authorizer))
    let message = try request("\(user.id)")
    for token in [nil, "bad"] { #expect(await get.answer(message, token: token) == nil) }
    for _ in 0..<5 { #expect(try await create.answer(creation("bob@example.com"), token: "bad") == nil) }
    #expect(counts("GetUser") == [0, 0, 0] && counts("CreateUser") == [0, 0, 0])
    #expect(await get.answer(message, token: "good") == .success(user.serialized))
    #expect(await handled(get, message).failure?.code == .unauthenticated)
    for email in ["bob@example.com", "cid@example.com"] {
      #expect(try await create.answer(creation(email))?.failure == nil)
    }
    #expect(try await create.answer(creation("dan@example.com"))?.failure?.code == .resourceExhausted)
    #expect(try await handled(create, creation("dan@example.com")).failure?.code == .resourceExhausted)
    #expect(counts("GetUser") == [2, 1, 2] && counts("CreateUser") == [4, 3, 4])
  }

  @Test("a user may read only itself")
  func onlyItself() async throws {
    let users = try await repository.create(
      ["ada", "bob"].map { NewUser(email: try EmailAddress("\($0)@example.com"), name: try UserName("")) })
    let (ada, bob) = (try users[0].get(), try users[1].get())
    let method = getUser(authorizer(OneToken(subject: "\(ada.id)", epoch: 0)))
    #expect(try await handled(method, request("\(ada.id)"), token: "good") == .success(ada.serialized))
    for other in ["\(bob.id)", "nobody", ""] {
      #expect(try await method.answer(request(other), token: "good")?.failure?.code == .permissionDenied)
      #expect(try await handled(method, request(other), token: "good").failure?.code == .permissionDenied)
    }
  }

  /// Is cancelled in its work.
  private struct Cancelled: UnaryRPC {
    func decode(_ message: UnsafeRawBufferPointer) {}

    func answer<Response: UnaryResponse & ~Copyable>(
      _ request: Void, for caller: Caller, to response: inout Response
    ) -> UnaryAnswer<Bool> { .later(true) }

    func finish(_ work: Bool) async throws -> [UInt8] { throw CancellationError() }
  }

  @Test(
    "a cancelled answer says why",
    arguments: [
      (CancellationCause.client, RPCError.Code.cancelled), (.deadline, .deadlineExceeded),
      (.shutdown, .unavailable),
    ])
  func cancelled(cause: CancellationCause, code: RPCError.Code) async throws {
    let method = UnaryMethod(
      Cancelled(), pipeline(.off).pipeline(of: Methods.GetUser.descriptor, isInline: true))
    #expect(await method.answer([], cause: cause)?.failure?.code == code)
  }
}

extension Result {
  fileprivate var failure: Failure? { if case .failure(let error) = self { error } else { nil } }
}
