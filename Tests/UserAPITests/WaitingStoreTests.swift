import GRPCCore
import GRPCProtobuf
import PasswordHashing
import PrometheusMetrics
import SwiftProtobuf
import TestSupport
import Testing
import UserDomain
import UserProtos
import UserStoreSQLite

@testable import UserAPI

/// Tests the RPCs over a store whose reads wait: responses, errors, log lines and metrics are those of the same users in
/// a store whose reads do not.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct WaitingStoreTests {
  private typealias Methods = User_V1_UserService.Method

  private let repository: SQLiteUserRepository
  private let hasher: Argon2idHasher
  private let clock = ManualClock()
  private let ada: User
  private let bob: User
  private let gone: User

  init() async throws {
    repository = try SQLiteUserRepository(.inMemory)
    hasher = try Argon2idHasher(
      parameters: Argon2Parameters(memoryKiB: 7_168, iterations: 5, parallelism: 1))
    let directory = UserDirectory(repository: repository, hasher: hasher)
    func create(_ name: String) async throws -> User {
      try await directory.createUser(
        email: "\(name)@example.com", name: name, password: "correct horse", for: .service)
    }
    (ada, bob) = (try await create("ada"), try await create("bob"))
    gone = try await directory.deleteUser(UserReference(try await create("gone").id), for: .service)
  }

  /// The callers: without authentication, a service that reads, a user, and a service without scopes.
  private enum Client: CaseIterable {
    case trusted, reader, user, other

    var token: String? { self == .trusted ? nil : "good" }

    func authorizer(_ user: User) -> Authorizer {
      let verifier =
        switch self {
        case .trusted: nil as OneToken?
        case .reader: OneToken(subject: "billing", scopes: .usersRead)
        case .user: OneToken(subject: "\(user.id)", epoch: 0)
        case .other: OneToken(subject: "billing")
        }
      guard let verifier else { return .off }
      return Authorizer(
        verifier: verifier, revocations: RevocationList(), reflectionIsPublic: true, peerLimit: nil)
    }
  }

  /// The RPCs over one of the stores, with a log and metrics of its own.
  private struct Service {
    let directory: UserDirectory
    let calls: CallPipeline
    let token: String?
    private let log = RecordedLog()
    private let registry = PrometheusRegistry(help: CallMetrics.help)

    init(_ directory: UserDirectory, _ authorizer: Authorizer, token: String?) {
      self.directory = directory
      self.token = token
      calls = .test(
        authorizer,
        observer: CallObserver(log: CallLog(log.logger()), metrics: CallMetrics(factory: registry)))
    }

    /// What the calls left in the log and in the counters, without times and random ids.
    var traces: [String] {
      let counters = ["started_total", "inline_total", "duration_seconds_count"]
      return log.lines.map { line in
        let fields = line.metadata.filter { $0.key != "duration_ms" && $0.key != "request_id" }
        return "\(line.level) \(line.message) \(fields.sorted { $0.key < $1.key })"
      }
        + registry.text().split(separator: "\n").filter { line in
          counters.contains { line.contains($0) } && !line.contains("#")
        }.map(String.init)
    }

    func call(_ method: MethodDescriptor, _ message: [UInt8]) -> HandlerCall {
      HandlerCall(
        method, metadata: token.map { ["authorization": "Bearer \($0)"] } ?? [:], messages: [message])
    }

    /// Returns the response of a method without an inline road.
    func unary<Request: Message>(
      _ method: MethodDescriptor, _ request: Request,
      _ respond: (Request, CallAuthorization) async throws -> [UInt8]
    ) async throws -> Outcome {
      let call = call(method, try request.serializedBytes())
      return try await Outcome.of {
        try await calls.pipeline(of: method).respond(to: call.request, call.context) { authorization in
          try await respond(
            Request(request: await ServerRequest(stream: call.request).message), authorization)
        }.messages()
      }
    }
  }

  /// The messages of a call, or its status with details.
  private struct Outcome: Equatable {
    var messages: [[UInt8]] = []
    var error: RPCError?

    init(_ messages: [[UInt8]]) { self.messages = messages }
    init(_ error: RPCError) { self.error = error }

    static func of(_ call: () async throws -> [[UInt8]]) async throws -> Outcome {
      do {
        return Outcome(try await call())
      } catch let error as RPCError {
        return Outcome(error)
      }
    }

    static func == (one: Outcome, other: Outcome) -> Bool {
      one.messages == other.messages && one.error == other.error
        && one.error.map { Array($0.metadata).map { "\($0)" } }
          == other.error.map { Array($0.metadata).map { "\($0)" } }
    }
  }

  /// Returns a service over the store, and one over reads that wait.
  private func services(_ client: Client = .trusted) -> [Service] {
    let store = WaitingStore(repository)
    return [
      UserDirectory(
        repository: repository, hasher: hasher,
        attempts: PasswordAttempts(repository) { [clock] in clock.now }),
      UserDirectory(
        repository: store, hasher: hasher, attempts: PasswordAttempts(store) { [clock] in clock.now }),
    ].map { Service($0, client.authorizer(ada), token: client.token) }
  }

  /// Expects two services to give the same outcomes to the same calls, and to leave the same traces. Returns the outcomes.
  @discardableResult
  private func compare(
    _ client: Client = .trusted, _ calls: (Service) async throws -> [Outcome]
  ) async throws -> [Outcome] {
    let services = services(client)
    #expect(services.map { $0.directory.immediateLookups == nil } == [false, true])
    let (expected, outcomes) = (try await calls(services[0]), try await calls(services[1]))
    #expect(expected.count == outcomes.count)
    for (index, pair) in zip(expected, outcomes).enumerated() {
      #expect(pair.0 == pair.1, "call \(index)")
    }
    let traces = services[0].traces
    #expect(traces.contains { $0.contains("started_total") } && traces.contains { $0.contains("info call") })
    #expect(traces == services[1].traces)
    return expected
  }

  /// Returns the outcomes of each message on both roads, which must be alike.
  private func bothRoads<RPC>(_ method: UnaryMethod<RPC>, _ messages: [[UInt8]], _ service: Service)
    async throws -> [Outcome]
  {
    var outcomes: [Outcome] = []
    for message in messages {
      let call = service.call(method.descriptor, message)
      let handled = try await Outcome.of { try await method.handle(call.request, call.context).messages() }
      let inline =
        switch try #require(await method.answer(message, token: service.token)) {
        case .success(let message): Outcome([message])
        case .failure(let error): Outcome(error)
        }
      #expect(inline == handled)
      outcomes.append(handled)
    }
    return outcomes
  }

  private func codes(_ outcomes: [Outcome]) -> [RPCError.Code?] { outcomes.map(\.error?.code) }

  @Test("GetUser returns the same on both roads", arguments: Client.allCases)
  private func getUser(client: Client) async throws {
    let requests = try [
      ("\(ada.id)", false), ("\(ada.id)".uppercased(), false), ("\(bob.id)", false), ("\(gone.id)", false),
      ("\(gone.id)", true), ("01a20ee6-9ba4-70f2-8d8e-3d5b8e9fe3a1", false), ("nobody", false), ("", false),
    ].map { id, showsDeleted in
      try User_V1_GetUserRequest.with { ($0.userID, $0.showDeleted) = (id, showsDeleted) }.serializedBytes()
        as [UInt8]
    }
    let outcomes = try await compare(client) { service in
      try await bothRoads(
        UnaryMethod(
          GetUser(directory: service.directory),
          service.calls.pipeline(of: Methods.GetUser.descriptor, isInline: true)),
        requests + [[0xff, 0xff]], service)
    }
    let absent: [RPCError.Code?] = [.notFound, .notFound, .invalidArgument]
    switch client {
    case .trusted, .reader:
      #expect(outcomes[0].messages == [ada.serialized] && outcomes[4].messages == [gone.serialized])
      #expect(codes(outcomes) == [nil, nil, nil, .notFound, nil] + absent + [.internalError])
    case .user:
      #expect(outcomes[0].messages == [ada.serialized] && outcomes[1].messages == [ada.serialized])
      #expect(Set(codes(outcomes)[2..<8]) == [.permissionDenied])
    case .other:
      #expect(Set(codes(outcomes)) == [.permissionDenied])
    }
  }

  @Test("GetUserByEmail returns the same on both roads", arguments: Client.allCases)
  private func getUserByEmail(client: Client) async throws {
    let requests = try [
      ("ada@example.com", false), ("ADA@Example.com", false), (" ada@example.com ", false),
      ("bob@example.com", false), ("gone@example.com", false), ("gone@example.com", true),
      ("nobody@example.com", false), ("no address", false), ("", false),
    ].map { email, showsDeleted in
      try User_V1_GetUserByEmailRequest.with { ($0.email, $0.showDeleted) = (email, showsDeleted) }
        .serializedBytes() as [UInt8]
    }
    let outcomes = try await compare(client) { service in
      try await bothRoads(
        UnaryMethod(
          GetUserByEmail(directory: service.directory),
          service.calls.pipeline(of: Methods.GetUserByEmail.descriptor, isInline: true)),
        requests + [[0xff, 0xff]], service)
    }
    if client == .other {
      #expect(Set(codes(outcomes)) == [.permissionDenied])
    } else {
      #expect(outcomes[..<3].allSatisfy { $0.messages == [ada.serialized] })
      #expect(outcomes[6].error?.code == (client == .user ? .permissionDenied : .notFound))
      #expect(codes(outcomes)[7..<9] == [.invalidArgument, .invalidArgument])
    }
  }

  @Test("a GetUser over waiting reads ends with the cause of its cancellation")
  func cancelled() async throws {
    let service = services()[1]
    let method = UnaryMethod(
      GetUser(directory: service.directory), service.calls.pipeline(of: Methods.GetUser.descriptor))
    let message: [UInt8] = try User_V1_GetUserRequest.with { $0.userID = "\(ada.id)" }.serializedBytes()
    let call = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return await method.answer(message, cause: .deadline)
    }
    guard case .failure(let error) = await call.value else {
      Issue.record("the call was not cancelled")
      return
    }
    #expect(error.code == .deadlineExceeded)
  }

  @Test("BatchGetUsers returns the same users, and the same missing ids")
  func batch() async throws {
    let outcomes = try await compare { service in
      let handler = UserServiceHandler(
        directory: service.directory, pageTokens: PageTokenCodec(key: [UInt8](repeating: 1, count: 32)),
        calls: service.calls)
      var outcomes: [Outcome] = []
      for (ids, showsDeleted) in [
        (["\(bob.id)", "\(ada.id)", "\(bob.id)"], false), (["\(ada.id)", "nobody", "\(gone.id)"], false),
        (["\(gone.id)"], true), ([""], false), ([], false),
      ] {
        outcomes.append(
          try await service.unary(
            Methods.BatchGetUsers.descriptor,
            User_V1_BatchGetUsersRequest.with { ($0.userIds, $0.showDeleted) = (ids, showsDeleted) },
            handler.batchGetUsers))
      }
      return outcomes
    }
    #expect(
      outcomes[0].messages == [[bob, ada, bob].flatMap { UserMessageEncoding.batchField(of: $0) }])
    #expect(codes(outcomes) == [nil, .notFound, nil, .invalidArgument, .invalidArgument])
  }

  @Test("ListUsers and ExportUsers send the same pages")
  func listings() async throws {
    let tokens = PageTokenCodec(key: [UInt8](repeating: 1, count: 32))
    let outcomes = try await compare { service in
      var outcomes: [Outcome] = []
      for (filter, pageSize) in [
        ("", 0), ("", 1), ("name = b*", 5), ("name = nobody", 5), ("x", 5), ("", -1),
      ] {
        let call = service.call(
          Methods.ListUsers.descriptor,
          try User_V1_ListUsersRequest.with { ($0.filter, $0.pageSize) = (filter, Int32(pageSize)) }
            .serializedBytes())
        outcomes.append(
          try await Outcome.of {
            try await ListUsers(
              directory: service.directory, pageTokens: tokens,
              pipeline: service.calls.pipeline(of: Methods.ListUsers.descriptor)
            ).handle(call.request, call.context).messages().map(\.frames)
          })
      }
      for hashes in [false, true] {
        let call = service.call(
          Methods.ExportUsers.descriptor,
          try User_V1_ExportUsersRequest.with { $0.passwordHashes = hashes }.serializedBytes())
        outcomes.append(
          try await Outcome.of {
            try await ExportUsers(
              directory: service.directory, tokens: tokens.exportTokens(),
              pipeline: service.calls.pipeline(of: Methods.ExportUsers.descriptor)
            ).handle(call.request, call.context).messages()
          })
      }
      return outcomes
    }
    #expect(outcomes.map(\.messages.count) == [1, 2, 1, 0, 0, 0, 3, 3])
    #expect(codes(outcomes)[4...5] == [.invalidArgument, .invalidArgument])
  }

  private func update(
    _ id: String, _ change: (inout User_V1_UpdateUserRequest) -> Void
  ) -> User_V1_UpdateUserRequest {
    .with { request in
      request.user.id = id
      change(&request)
    }
  }

  @Test("UpdateUser checks the same before it stores anything", arguments: [Client.trusted, .user])
  private func updates(client: Client) async throws {
    let (id, stale) = ("\(ada.id)", bob.version.etag)
    let requests = [
      update(id) { ($0.user.name, $0.validateOnly) = ("Ada L.", true) },
      update(id) {
        ($0.user.email, $0.currentPassword, $0.validateOnly) = ("lovelace@b.com", "correct horse", true)
      },
      update(id) { ($0.user.email, $0.currentPassword) = ("lovelace@b.com", "wrong horse") },
      update(id) { ($0.user.email, $0.validateOnly) = ("lovelace@b.com", true) },
      update(id) {
        ($0.user.email, $0.currentPassword, $0.validateOnly) = ("bob@example.com", "correct horse", true)
      },
      update(id) {
        ($0.password, $0.currentPassword, $0.user.etag) = ("battery staple", "correct horse", stale)
      },
      update(id) { ($0.password, $0.currentPassword) = ("ada@example.com", "correct horse") },
      update("01a20ee6-9ba4-70f2-8d8e-3d5b8e9fe3a1") { ($0.user.name, $0.validateOnly) = ("x", true) },
      update("\(gone.id)") { ($0.user.name, $0.validateOnly) = ("x", true) },
      update("") { ($0.user.name, $0.validateOnly) = ("x", true) },
    ]
    let outcomes = try await compare(client) { service in
      // The attempts of the other service are forgotten.
      try await repository.unlock(ada.id)
      let handler = UserChangeHandler(directory: service.directory)
      var outcomes: [Outcome] = []
      for request in requests {
        outcomes.append(
          try await service.unary(Methods.UpdateUser.descriptor, request, handler.update))
      }
      return outcomes
    }
    #expect(codes(outcomes)[...1] == [nil, nil])
    let proven: [RPCError.Code?] = [.alreadyExists, .aborted, .invalidArgument]
    switch client {
    case .trusted:
      let last: [RPCError.Code?] = [.notFound, .notFound, .invalidArgument]
      #expect(Array(codes(outcomes)[2...]) == [.permissionDenied, nil] + proven + last)
    default:
      #expect(codes(outcomes)[4...6] == proven[...])
      #expect(Set(codes(outcomes)[2...3] + codes(outcomes)[7...]) == [.permissionDenied])
    }
  }

  @Test("UpdateUser stores what it checked, with a password that was proven")
  func storedUpdate() async throws {
    for (user, service) in zip([ada, bob], services()) {
      let request = update("\(user.id)") {
        ($0.user.name, $0.password, $0.currentPassword) = ("New", "battery staple", "correct horse")
      }
      let outcome = try await service.unary(
        Methods.UpdateUser.descriptor, request, UserChangeHandler(directory: service.directory).update)
      let stored = try #require(try repository.user(id: user.id))
      #expect(stored.name.text == "New")
      #expect(outcome == Outcome([stored.serialized]))
    }
  }
}
