import AsyncAlgorithms
import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing
import UserServiceClient

/// The client while the service, or the connection to it, fails during its calls.
@Suite(.tags(.heavy), .fewAtOnce, .timeLimit(.minutes(10))) struct InterruptionTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private func kill(_ service: RunningService) async {
    service.signal(SIGKILL)
    _ = await service.waitUntilExit()
  }

  // MARK: The connection

  @Test("a listing that is interrupted repeatedly returns each user once, in order")
  func cutListing() async throws {
    let service = try await RunningService.forClient(in: directory)
    let created = try await withUserServiceClient(.test(service.port)) { client in
      try await client.bulkCreateUsers([NewUser].numbered(3_000)).userIDs
    }
    // A page of ten users is about 1,000 bytes. The last plan but one cuts within the first page.
    let plans = (0..<12).map { Proxy.Plan.cut(afterBytes: $0 == 10 ? 300 : 5_000 + 777 * $0) }
    let proxy = try await Proxy(to: service.port, plans)
    let listed = try await withUserServiceClient(.test(proxy.port)) { client in
      try await client.listUsers(pageSize: 10).all().map(\.id)
    }
    #expect(listed == created)
    #expect(proxy.connectionCount > 12)
    try await proxy.close()
    await service.stop()
  }

  @Test("a listing without progress fails after its attempts")
  func endlessCuts() async throws {
    let service = try await RunningService.forClient(in: directory)
    try await withUserServiceClient(.test(service.port)) { client in
      _ = try await client.bulkCreateUsers([NewUser].numbered(100))
    }
    let proxy = try await Proxy(to: service.port, .init(repeating: .cut(afterBytes: 300), count: 100))
    try await withUserServiceClient(.test(proxy.port)) { client in
      let error = await #expect(throws: UserServiceError.self) { try await client.listUsers().all() }
      guard case .unavailable = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    #expect(proxy.connectionCount < 100)
    try await proxy.close()
    await service.stop()
  }

  @Test("a creation whose response is lost is retried, and the user exists once")
  func lostAnswer() async throws {
    let service = try await RunningService.forClient(in: directory)
    let proxy = try await Proxy(
      to: service.port, [.cutBefore("ada@example.com"), .cutBefore("ada@example.com")])
    try await withUserServiceClient(.test(proxy.port)) { client in
      let ada = try await client.createUser(
        NewUser(email: "ada@example.com", name: "Ada", password: "correct horse"))
      #expect(try await client.listUsers().all() == [ada])
    }
    #expect(proxy.connectionCount >= 3)
    try await proxy.close()
    await service.stop()
  }

  @Test("a change of a user whose response is lost is retried only with an etag")
  func lostChanges() async throws {
    let service = try await RunningService.forClient(in: directory)
    let ada = try await withUserServiceClient(.test(service.port)) { client in
      try await client.createUser(NewUser(email: "ada@example.com", name: "Ada"))
    }
    /// Makes a call whose first response is lost.
    func lost<Value: Sendable>(_ call: (UserServiceClient) async throws -> Value) async throws -> Value {
      let proxy = try await Proxy(to: service.port, [.cutBefore("ada@example.com")])
      let result: Result<Value, any Error>
      do {
        result = .success(try await withUserServiceClient(.test(proxy.port), call))
      } catch {
        result = .failure(error)
      }
      try await proxy.close()
      return try result.get()
    }
    func expectUnavailable(_ call: (UserServiceClient) async throws -> User) async throws {
      let error = await #expect(throws: UserServiceError.self) { try await lost(call) }
      guard case .unavailable = error else { throw error ?? .cancelled }
    }
    try await expectUnavailable { try await $0.updateUser(UserUpdate(userID: ada.id, name: "1")) }
    let first = try await lost { try await $0.getUser(id: ada.id) }
    #expect(first.name == "1")
    let update = UserUpdate(userID: ada.id, name: "2", etag: first.etag)
    #expect(try await lost { try await $0.updateUser(update, validateOnly: true) }.name == "2")
    await #expect(throws: UserServiceError.etagMismatch) {
      try await lost { try await $0.updateUser(update) }
    }
    let second = try await lost { try await $0.getUser(email: ada.email) }
    #expect(second.name == "2")
    let deleted = try await lost {
      try await $0.deleteUser(id: ada.id, etag: second.etag, allowMissing: true)
    }
    #expect(deleted.deletedAt != nil)
    try await expectUnavailable { try await $0.undeleteUser(id: ada.id) }
    try await expectUnavailable { try await $0.deleteUser(id: ada.id, allowMissing: true) }
    #expect(try await lost { try await $0.users(ids: [ada.id], showDeleted: true) }.count == 1)
    await service.stop()
  }

  @Test("a bulk load whose responses are lost is retried, and each user exists once")
  func lostBulkAnswer() async throws {
    let service = try await RunningService.forClient(in: directory)
    let proxy = try await Proxy(to: service.port, [.cut(afterBytes: 2_000), .cut(afterBytes: 50_000)])
    try await withUserServiceClient(.test(proxy.port)) { client in
      let result = try await client.bulkCreateUsers([NewUser].numbered(2_500))
      #expect(result.failures.isEmpty)
      #expect(result.userIDs.count == 2_500)
      #expect(try await client.listUsers(pageSize: 1_000).all().map(\.id) == result.userIDs)
    }
    #expect(proxy.connectionCount >= 3)
    try await proxy.close()
    await service.stop()
  }

  @Test("an attempt that takes too long is retried while the call has time left")
  func slowAttempt() async throws {
    let service = try await RunningService.forClient(in: directory)
    let ada = try await withUserServiceClient(.test(service.port)) { client in
      try await client.createUser(NewUser(email: "ada@example.com"))
    }
    // The first attempt has no answer before the second has begun.
    let secondAttempt = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Void.self)
    let tokens = AttemptCounter { if $0 == 2 { secondAttempt.succeed() } }
    let proxy = try await Proxy(to: service.port, [.hold(until: secondAttempt.futureResult)])
    var configuration = UserServiceClient.Configuration.test(proxy.port, .provider(tokens))
    configuration.retries.attemptTimeout = .seconds(1)
    configuration.retries.maximumAttempts = 100
    let found = try await withUserServiceClient(configuration) { client in
      try await client.getUser(id: ada.id)
    }
    #expect(found == ada)
    try await proxy.close()
    await service.stop()
  }

  /// Gives no token, and tells of each attempt, which asks for one.
  private final class AttemptCounter: AccessTokenProvider {
    private let count = Mutex(0)
    private let began: @Sendable (Int) -> Void

    init(began: @escaping @Sendable (Int) -> Void) {
      self.began = began
    }

    func accessToken(replacing refused: String?) async throws -> String? {
      began(
        count.withLock { count in
          count += 1
          return count
        })
      return nil
    }
  }

  @Test("a call without a response ends at its time-out, a stream at its idle time-out")
  func silence() async throws {
    let service = try await RunningService.forClient(in: directory)
    try await withUserServiceClient(.test(service.port)) { client in
      _ = try await client.bulkCreateUsers([NewUser].numbered(10))
    }
    let proxy = try await Proxy(to: service.port, .init(repeating: .stall(afterBytes: 0), count: 20))
    var configuration = UserServiceClient.Configuration.test(proxy.port)
    configuration.timeout = .milliseconds(300)
    configuration.idleTimeout = .milliseconds(300)
    configuration.retries.maximumAttempts = 2
    try await withUserServiceClient(configuration) { client in
      await #expect(throws: UserServiceError.deadlineExceeded) { try await client.getUser(id: "x") }
      await #expect(throws: UserServiceError.deadlineExceeded) { try await client.listUsers().all() }
      await #expect(throws: UserServiceError.deadlineExceeded) {
        try await client.bulkCreateUsers([NewUser].numbered(10))
      }
      await #expect(throws: UserServiceError.deadlineExceeded) {
        for try await _ in client.userUpdates([UserUpdate(userID: "x")].async) {}
      }
    }
    try await proxy.close()
    await service.stop()
  }

  // MARK: The service

  @Test("a listing survives a service that is killed and restarted")
  func killedInListing() async throws {
    let first = try await RunningService.forClient(in: directory)
    let created = try await withUserServiceClient(.test(first.port)) { client in
      try await client.bulkCreateUsers([NewUser].numbered(3_000)).userIDs
    }
    let proxy = try await Proxy(to: first.port, [.stall(afterBytes: 100_000)])
    try await withUserServiceClient(.test(proxy.port)) { client in
      var listed: [String] = []
      var listing = client.listUsers(pageSize: 10).makeAsyncIterator()
      while listed.count < 500, let user = try await listing.next() { listed.append(user.id) }
      await kill(first)
      let second = try await RunningService.forClient(in: directory, port: first.port)
      while let user = try await listing.next() { listed.append(user.id) }
      #expect(listed == created)
      await second.stop()
    }
    #expect(proxy.connectionCount > 1)
    try await proxy.close()
  }

  @Test("a bulk load creates each user once if the service is killed and restarted")
  func killedInBulkLoad() async throws {
    let first = try await RunningService.forClient(in: directory)
    let second = Mutex<RunningService?>(nil)
    // The response to the second part does not arrive before the service is killed.
    let proxy = try await Proxy(to: first.port, [.stall(afterBytes: 50_000)])
    try await withUserServiceClient(.test(proxy.port)) { client in
      let ids = Mutex<[String]>([])
      let users = [NewUser].numbered(3_000)
      async let load: Void = client.bulkCreateUsers(users.async) { batch in
        for outcome in batch.outcomes {
          let id = try outcome.get()
          ids.withLock { $0.append(id) }
        }
      }
      // Only its answer is then missing.
      try await withUserServiceClient(.test(first.port)) { client in
        try await eventually("the second part is stored") {
          try await client.listUsers(pageSize: 1_000).all().count >= 2_000
        }
      }
      await kill(first)
      let restarted = try await RunningService.forClient(in: directory, port: first.port)
      second.withLock { $0 = restarted }
      try await load
      #expect(ids.withLock { $0.count } == 3_000)
      #expect(try await client.listUsers(pageSize: 1_000).all().map(\.id) == ids.withLock { $0 })
    }
    #expect(proxy.connectionCount > 1)
    await second.withLock { $0 }?.stop()
    try await proxy.close()
  }

  @Test("a call without a reachable service waits for it to return")
  func killedBetweenAttempts() async throws {
    let first = try await RunningService.forClient(in: directory)
    try await withUserServiceClient(.test(first.port)) { client in
      let ada = try await client.createUser(NewUser(email: "ada@example.com"))
      await kill(first)
      async let read = client.getUser(id: ada.id)
      async let created = client.createUser(NewUser(email: "bob@example.com"))
      let second = try await RunningService.forClient(in: directory, port: first.port)
      let (found, bob) = (try await read, try await created)
      #expect(found == ada)
      #expect(try await client.listUsers().all() == [ada, bob])
      await second.stop()
    }
  }
}
