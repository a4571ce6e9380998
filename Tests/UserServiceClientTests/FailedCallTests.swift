import Foundation
import TestSupport
import Testing
import UserProtos

@testable import UserServiceClient

/// The calls of the client against the real service: what they throw.
@Suite(.tags(.heavy), .fewAtOnce, .timeLimit(.minutes(10))) struct FailedCallTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  @Test("what is wrong with users is told by type")
  func userErrors() async throws {
    let service = try await RunningService.forClient(in: directory)
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
    let service = try await RunningService.forClient(
      in: directory, auth: true, environment: issuer.environment)
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
    let service = try await RunningService.forClient(
      in: directory,
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
    let service = try await RunningService.forClient(
      in: directory,
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
    let service = try await RunningService.forClient(in: directory, ["--bulk-rows", "300"])
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

  @Test("an address without a service, and an unknown host name, fail at once with the reason")
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
    let service = try await RunningService.forClient(in: directory, ["--shutdown-grace", "1h"])
    let proxy = try await Proxy(to: service.port, [.stall(afterBytes: 0)])
    try await withUserServiceClient(.test(proxy.port)) { client in
      let call = Task { try await client.getUser(id: "x") }
      let listing = Task { try await client.listUsers().all() }
      try await eventually("a call is on its way") { proxy.connectionCount > 0 }
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

  /// `@unchecked Sendable`: the iterator is not used after it is kept.
  private struct Kept: @unchecked Sendable {
    let iterator: UserStream.Iterator

    init(_ iterator: UserStream.Iterator) {
      self.iterator = iterator
    }
  }
}
