import AsyncAlgorithms
import Foundation
import Synchronization
import TestSupport
import Testing
import UserProtos

@testable import UserServiceClient

/// The client against the real service: what its calls return, and what they throw.
@Suite(.fewAtOnce, .timeLimit(.minutes(10))) struct ClientTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private var database: String { directory.path("users.db") }

  private func service(
    _ arguments: [String] = [], auth: Bool = false, environment: [String: String] = [:]
  ) async throws -> RunningService {
    try await RunningService(
      ["--database", database, "--log-level", "error"] + arguments, auth: auth, environment: environment)
  }

  @Test("a user is created, read, changed and listed")
  func tour() async throws {
    let service = try await service()
    try await withUserServiceClient(.test(service.port)) { client in
      let began = Date.now
      let ada = try await client.createUser(
        NewUser(email: " Ada@example.com", name: "Ada", password: "correct horse"))
      #expect(ada.email == "Ada@example.com" && ada.name == "Ada" && ada.status == .active)
      // To the microsecond, which a `Date` is not.
      #expect((began - 0.001...Date.now + 0.001).contains(ada.createdAt))
      #expect(try await client.getUser(id: ada.id) == ada)
      let changed = try await client.updateUser(
        UserUpdate(userID: ada.id, email: "ada@example.org", name: "", status: .inactive, password: .remove))
      #expect(changed.id == ada.id && changed.createdAt == ada.createdAt)
      #expect(changed.email == "ada@example.org" && changed.name.isEmpty && changed.status == .inactive)
      #expect(try await client.listUsers().all() == [changed])
    }
    #expect(await service.stop().status == 0)
  }

  @Test("a request id makes a creation one, whoever asks again")
  func requestID() async throws {
    let service = try await service()
    let id = UUID()
    var users: [User] = []
    for _ in 0..<2 {
      users.append(
        try await withUserServiceClient(.test(service.port)) { client in
          try await client.createUser(NewUser(email: "ada@example.com"), requestID: id)
        })
    }
    #expect(users[0] == users[1])
    await service.stop()
  }

  @Test("a listing gives each user once, in order, whatever the pages", arguments: [1, 7, 100, 1_000])
  func listing(pageSize: Int) async throws {
    let service = try await service()
    try await withUserServiceClient(.test(service.port)) { client in
      #expect(try await client.listUsers(pageSize: pageSize).all().isEmpty)
      let result = try await client.bulkCreateUsers([NewUser].numbered(1_001))
      #expect(try await client.listUsers(pageSize: pageSize).all().map(\.id) == result.userIDs)
      // Stopped early, and begun twice.
      var seen: [String] = []
      for try await user in client.listUsers(pageSize: pageSize) {
        seen.append(user.id)
        if seen.count == 10 { break }
      }
      #expect(seen == Array(result.userIDs.prefix(10)))
      let listing = client.listUsers(pageSize: pageSize)
      async let first = listing.all().count
      async let second = listing.all().count
      let counts = try await [first, second]
      #expect(counts == [1_001, 1_001])
    }
    #expect(await service.stop().status == 0)
  }

  @Test("a bulk load of any length tells of each user, in its order")
  func bulk() async throws {
    let service = try await service()
    try await withUserServiceClient(.test(service.port)) { client in
      #expect(try await client.bulkCreateUsers([]).userIDs.isEmpty)
      var users = [NewUser].numbered(2_500)
      users[3].email = "nobody"
      users[2_000].email = "USER7@example.com"
      users[2_499].password = "correct horse"
      let result = try await client.bulkCreateUsers(users)
      #expect(result.userIDs.count == 2_498)
      #expect(result.failures.map(\.index) == [3, 2_000])
      #expect(result.failures[1].error == .emailAlreadyRegistered)
      guard case .invalidUser(let fields) = result.failures[0].error else {
        Issue.record("\(result.failures[0])")
        return
      }
      #expect(fields.map(\.name) == ["email"] && fields[0].reason == "MALFORMED")
      #expect(try await client.listUsers(pageSize: 1_000).all().map(\.id) == result.userIDs)
    }
    #expect(await service.stop().status == 0)
  }

  @Test("a user that is larger than messages may be fails alone")
  func largeRow() async throws {
    let service = try await service()
    try await withUserServiceClient(.test(service.port)) { client in
      var users = [NewUser].numbered(3)
      users[1].name = String(repeating: "x", count: 10_000)
      let result = try await client.bulkCreateUsers(users)
      #expect(result.userIDs.count == 2 && result.failures.map(\.index) == [1])
      guard case .invalidUser(let fields) = result.failures.first?.error else {
        Issue.record("\(result.failures)")
        return
      }
      #expect(fields.map(\.name) == ["name"] && fields[0].reason == "TOO_LONG")
    }
    #expect(await service.stop().status == 0)
  }

  @Test("a bulk load fits itself to a service that takes fewer rows in a call")
  func bulkLimit() async throws {
    let service = try await service(["--bulk-rows", "300"])
    try await withUserServiceClient(.test(service.port)) { client in
      let result = try await client.bulkCreateUsers(
        (400..<2_400).map { NewUser(email: "user\($0)@example.com") })
      #expect(result.failures.isEmpty && result.userIDs.count == 2_000)
      #expect(try await client.listUsers().all().map(\.id) == result.userIDs)
    }
    await service.stop()
  }

  @Test("updates go one way and users come the other, until the updates end")
  func updates() async throws {
    let service = try await service()
    try await withUserServiceClient(.test(service.port)) { client in
      let ada = try await client.createUser(NewUser(email: "ada@example.com"))
      let (updates, next) = AsyncStream.makeStream(of: UserUpdate.self)
      next.yield(UserUpdate(userID: ada.id, name: "1"))
      var names: [String] = []
      for try await user in client.userUpdates(updates) {
        names.append(user.name)
        if names.count == 3 {
          next.finish()
        } else {
          next.yield(UserUpdate(userID: ada.id, name: "\(names.count + 1)"))
        }
      }
      #expect(names == ["1", "2", "3"])
    }
    #expect(await service.stop().status == 0)
  }

  @Test("an update that fails ends the stream with its place; those before it were returned")
  func badUpdate() async throws {
    let service = try await service()
    try await withUserServiceClient(.test(service.port)) { client in
      let ada = try await client.createUser(NewUser(email: "ada@example.com"))
      let updates = [
        UserUpdate(userID: ada.id, name: "1"), UserUpdate(userID: "nobody"), UserUpdate(userID: ada.id),
      ]
      var names: [String] = []
      let error = await #expect(throws: UserServiceError.self) {
        for try await user in client.userUpdates(updates.async) { names.append(user.name) }
      }
      #expect(names == ["1"])
      guard case .updateFailed(index: 1, .userNotFound) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    await service.stop()
  }

  // MARK: Errors

  @Test("what is wrong with users is told by type")
  func userErrors() async throws {
    let service = try await service()
    try await withUserServiceClient(.test(service.port)) { client in
      await #expect(throws: UserServiceError.userNotFound(id: "nobody")) {
        try await client.getUser(id: "nobody")
      }
      await #expect(throws: UserServiceError.userNotFound(id: "nobody")) {
        try await client.updateUser(UserUpdate(userID: "nobody"))
      }
      _ = try await client.createUser(NewUser(email: "ada@example.com"))
      await #expect(throws: UserServiceError.emailAlreadyRegistered) {
        try await client.createUser(NewUser(email: "ADA@example.com"))
      }
      let error = await #expect(throws: UserServiceError.self) {
        try await client.createUser(NewUser(email: "", name: "\u{0}", password: "short"))
      }
      guard case .invalidUser(let fields) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(fields.map(\.name) == ["email", "name", "password"])
      #expect(fields.map(\.reason) == ["REQUIRED", "FORBIDDEN_CHARACTER", "TOO_SHORT"])
      for request in [
        { _ = try await client.getUser(id: "") }, { _ = try await client.listUsers(pageSize: -1).all() },
      ]
        as [@Sendable () async throws -> Void]
      {
        let error = await #expect(throws: UserServiceError.self) { try await request() }
        guard case .invalidRequest(let fields) = error, fields.count == 1 else {
          Issue.record("\(String(describing: error))")
          return
        }
      }
      let long = await #expect(throws: UserServiceError.self) {
        try await client.createUser(
          NewUser(email: "a@b.example", name: String(repeating: "x", count: 5 << 20)))
      }
      guard case .failed(status: "resourceExhausted", _, _) = long else {
        Issue.record("\(String(describing: long))")
        return
      }
    }
    await service.stop()
  }

  @Test("who may not call is told why")
  func authErrors() async throws {
    let issuer = try OutsideIssuer(directory)
    let service = try await service(auth: true, environment: issuer.environment)
    try await withUserServiceClient(.test(service.port)) { client in
      await #expect(throws: UserServiceError.unauthenticated(.missing)) { try await client.getUser(id: "x") }
      await #expect(throws: UserServiceError.unauthenticated(.missing)) {
        _ = try await client.listUsers().all()
      }
      await #expect(throws: UserServiceError.wrongCredentials) {
        try await client.signIn(email: "ada@example.com", password: "wrong horse")
      }
    }
    try await withUserServiceClient(.test(service.port, .accessToken("nonsense"))) { client in
      await #expect(throws: UserServiceError.unauthenticated(.invalid)) { try await client.getUser(id: "x") }
    }
    try await withUserServiceClient(.test(service.port, .accessToken(issuer.token(lifetime: 600)))) {
      client in
      await #expect(throws: UserServiceError.userNotFound(id: "x")) { try await client.getUser(id: "x") }
      await #expect(throws: UserServiceError.permissionDenied(missingScope: "users:write")) {
        try await client.bulkCreateUsers([NewUser(email: "a@example.com")])
      }
    }
    try await withUserServiceClient(.test(service.port, .accessToken(issuer.token(lifetime: -60)))) {
      client in
      await #expect(throws: UserServiceError.unauthenticated(.expired)) { try await client.getUser(id: "x") }
      await #expect(throws: UserServiceError.unauthenticated(.expired)) {
        _ = try await client.listUsers().all()
      }
    }
    await service.stop()
  }

  @Test("limits are told with the time to wait")
  func limits() async throws {
    let service = try await service(
      auth: true, environment: ["USER_SERVICE_PEER_RATE": "0.01", "USER_SERVICE_PEER_BURST": "60"])
    try await withUserServiceClient(.test(service.port)) { client in
      _ = try await client.createUser(NewUser(email: "ada@example.com", password: "correct horse"))
      var attempts: Duration?
      var peer: Duration?
      while peer == nil {
        do throws(UserServiceError) {
          try await client.signIn(email: "ada@example.com", password: "wrong horse")
        } catch {
          switch error {
          case .wrongCredentials: break
          case .tooManyAttempts(let delay): attempts = delay
          case .peerLimitExceeded(let delay): peer = delay
          default: throw error
          }
        }
      }
      let delays = try (#require(attempts), #require(peer))
      #expect(delays.0 > .zero && delays.1 > .seconds(1))
    }
    await service.stop()
  }

  @Test("a service that has too much to do says when to come again")
  func overloaded() async throws {
    // One hash at a time has room, and none may wait.
    let service = try await service(
      ["--argon2-memory", "200000", "--argon2-iterations", "3"],
      environment: ["USER_SERVICE_ARGON2_QUEUE": "0"])
    var configuration = UserServiceClient.Configuration.test(service.port)
    configuration.timeout = .seconds(120)
    try await withUserServiceClient(configuration) { client in
      var delays: [Duration] = []
      // On a busy machine calls may come one after the other; then again.
      while delays.isEmpty {
        delays = try await withThrowingTaskGroup(of: Duration?.self) { group in
          for _ in 0..<4 {
            group.addTask {
              do throws(UserServiceError) {
                _ = try await client.createUser(
                  NewUser(email: "\(UUID())@example.com", password: "correct horse"))
                return nil
              } catch {
                guard case .overloaded(let delay?) = error else { throw error }
                return delay
              }
            }
          }
          return try await group.reduce(into: []) { delays, delay in if let delay { delays.append(delay) } }
        }
      }
      #expect(delays.allSatisfy { $0 > .zero })
    }
    #expect(await service.stop().status == 0)
  }

  @Test("one bulk call with too many rows says how many users stay")
  func tooManyRows() async throws {
    let service = try await service(["--bulk-rows", "300"])
    try await withUserServiceClient(.test(service.port)) { client in
      let requests = [NewUser].numbered(301).map { User_V1_CreateUserRequest($0, requestID: UUID()) }
      await #expect(throws: UserServiceError.tooManyRows(created: 300)) {
        try await client.createUsers(requests[...])
      }
      let stored = try await client.listUsers().all()
      #expect(stored.count == 300)
    }
    #expect(await service.stop().status == 0)
  }

  @Test("nobody there, and nobody of that name, are told at once and with the reason")
  func unavailable() async throws {
    for (address, words) in [("127.0.0.1:1", "refused"), ("unix:/nonexistent", "No such file")] {
      var configuration = UserServiceClient.Configuration.test(1)
      configuration.address = try #require(ServerAddress(address))
      configuration.retries.maximumAttempts = 1
      let error = await #expect(throws: UserServiceError.self) {
        _ = try await withUserServiceClient(configuration) { client in try await client.getUser(id: "x") }
      }
      guard case .unavailable(let reason) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(reason.contains(words), "\(reason)")
    }
  }

  @Test("a call that is cancelled says so and leaves nothing behind, a listing that is abandoned too")
  func cancelled() async throws {
    let service = try await service(["--shutdown-grace", "1h"])
    let proxy = try await Proxy(to: service.port, [.stall(afterBytes: 0)])
    try await withUserServiceClient(.test(proxy.port)) { client in
      let call = Task { try await client.getUser(id: "x") }
      let listing = Task { try await client.listUsers().all() }
      while proxy.connectionCount == 0 { await Task.yield() }
      call.cancel()
      listing.cancel()
      for result in [await call.result.map { _ in }, await listing.result.map { _ in }] {
        #expect(throws: UserServiceError.cancelled) { try result.get() }
      }
    }
    // One whose iterator outlives the client.
    let iterator = try await withUserServiceClient(.test(service.port)) { client in
      _ = try await client.bulkCreateUsers([NewUser].numbered(5_000))
      var iterator = client.listUsers(pageSize: 10).makeAsyncIterator()
      _ = try await iterator.next()
      return Kept(iterator)
    }
    #expect(await service.stop().status == 0)
    _ = iterator
    try await proxy.close()
  }

  /// `@unchecked Sendable`: nobody uses the iterator any more.
  private struct Kept: @unchecked Sendable {
    let iterator: UserStream.Iterator

    init(_ iterator: UserStream.Iterator) {
      self.iterator = iterator
    }
  }

  // MARK: Sessions

  @Test("a sign-in lasts: its tokens are refreshed, its owner is told of them, and a sign-out ends them")
  func session() async throws {
    let service = try await service(auth: true, environment: ["USER_SERVICE_AUTH_ACCESS_LIFETIME": "1s"])
    let changes = Mutex<[Tokens?]>([])
    var configuration = UserServiceClient.Configuration.test(service.port)
    configuration.tokensChanged = { tokens in changes.withLock { $0.append(tokens) } }
    let ada = try await withUserServiceClient(configuration) { client in
      let ada = try await client.createUser(NewUser(email: "ada@example.com", password: "correct horse"))
      let tokens = try await client.signIn(email: "ada@example.com", password: "correct horse")
      #expect(changes.withLock { $0 } == [tokens])
      // Tokens of a second are too short for a call: each has its own.
      #expect(try await client.getUser(id: ada.id) == ada)
      #expect(try await client.getUser(id: ada.id) == ada)
      #expect(changes.withLock { $0.count } == 3)
      return ada
    }
    let kept = try #require(changes.withLock { $0.last } ?? nil)
    configuration.credentials = .tokens(kept)
    try await withUserServiceClient(configuration) { client in
      #expect(try await client.getUser(id: ada.id) == ada)
      try await client.signOut()
      #expect(changes.withLock { $0.last } == .some(nil))
      await #expect(throws: UserServiceError.unauthenticated(.missing)) {
        try await client.getUser(id: ada.id)
      }
      try await client.signOut()
    }
    configuration.credentials = .tokens(kept)
    try await withUserServiceClient(configuration) { client in
      await #expect(throws: UserServiceError.unauthenticated(.revoked)) {
        try await client.getUser(id: ada.id)
      }
      await #expect(throws: UserServiceError.unauthenticated(.revoked)) {
        try await client.refresh(kept.refreshToken)
      }
    }
    await service.stop()
  }

  @Test("a stream of updates whose token has expired fails, and is not begun again")
  func expiredUpdates() async throws {
    let issuer = try OutsideIssuer(directory)
    let service = try await service(auth: true, environment: issuer.environment)
    let provider = RenewableToken(issuer.token(lifetime: -60)) { issuer.token(lifetime: 600) }
    try await withUserServiceClient(.test(service.port, .provider(provider))) { client in
      // Which error it is, the transport of the client cannot always tell: the service ends the call while the client
      // still sends, and on a busy machine the end of the stream is noticed before its status.
      await #expect(throws: UserServiceError.self) {
        for try await _ in client.userUpdates([UserUpdate(userID: "x", name: "y")].async) {}
      }
    }
    #expect(provider.renewals == 0)
    await service.stop()
  }

  @Test("secrets do not print themselves")
  func secrets() throws {
    let user = NewUser(email: "ada@example.com", name: "Ada", password: "correct horse")
    let update = UserUpdate(
      userID: "7", password: .set("correct horse"), currentPassword: "wrong horse")
    let configuration = UserServiceClient.Configuration(
      try #require(ServerAddress("localhost")), credentials: .accessToken("correct horse"))
    for text in ["\(user)", "\([user])", "\(update)", "\(configuration)"] {
      #expect(!text.contains("horse"), "\(text)")
    }
  }

  @Test("a token that the service finds expired is replaced, and the call made again")
  func replaced() async throws {
    let issuer = try OutsideIssuer(directory)
    let service = try await service(auth: true, environment: issuer.environment)
    let provider = RenewableToken(issuer.token(lifetime: -60)) { issuer.token(lifetime: 600) }
    try await withUserServiceClient(.test(service.port, .provider(provider))) { client in
      let users = try await client.listUsers().all()
      #expect(users.isEmpty)
      await #expect(throws: UserServiceError.userNotFound(id: "x")) { try await client.getUser(id: "x") }
    }
    #expect(provider.renewals == 1)
    await service.stop()
  }

  /// Gives the same token until it is refused.
  private final class RenewableToken: AccessTokenProvider {
    private let state: Mutex<(token: String, renewals: Int)>
    private let renew: @Sendable () -> String

    init(_ first: String, renew: @escaping @Sendable () -> String) {
      state = Mutex((first, 0))
      self.renew = renew
    }

    var renewals: Int { state.withLock { $0.renewals } }

    func accessToken(replacing refused: String?) async throws -> String? {
      state.withLock { state in
        if refused == state.token { state = (renew(), state.renewals + 1) }
        return state.token
      }
    }
  }
}
