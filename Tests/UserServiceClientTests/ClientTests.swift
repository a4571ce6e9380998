import AsyncAlgorithms
import Foundation
import TestSupport
import Testing
import UserServiceClient

/// The calls of the client against the real service: what they return.
@Suite(.tags(.heavy), .fewAtOnce, .timeLimit(.minutes(10))) struct ClientTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  @Test("a user is created, read, changed and listed")
  func tour() async throws {
    let service = try await RunningService.forClient(in: directory)
    try await withUserServiceClient(.test(service.port)) { client in
      let began = Date.now
      let ada = try await client.createUser(
        NewUser(email: " Ada@example.com", name: "Ada", password: "correct horse"))
      #expect(ada.email == "Ada@example.com" && ada.name == "Ada" && ada.status == .active)
      // The service stores microseconds; a `Date` is less precise.
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

  @Test("a request id makes a creation idempotent, even between clients")
  func requestID() async throws {
    let service = try await RunningService.forClient(in: directory)
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

  @Test("a listing returns each user once, in order, for any page size", arguments: [1, 7, 100, 1_000])
  func listing(pageSize: Int) async throws {
    let service = try await RunningService.forClient(in: directory)
    try await withUserServiceClient(.test(service.port)) { client in
      #expect(try await client.listUsers(pageSize: pageSize).all().isEmpty)
      let result = try await client.bulkCreateUsers([NewUser].numbered(1_001))
      #expect(try await client.listUsers(pageSize: pageSize).all().map(\.id) == result.userIDs)
      // Stopped early, and iterated twice.
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

  @Test("a bulk load of any length reports each user, in order")
  func bulk() async throws {
    let service = try await RunningService.forClient(in: directory)
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

  @Test("a user that exceeds the message limit fails alone")
  func largeRow() async throws {
    let service = try await RunningService.forClient(in: directory)
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

  @Test("a bulk load adapts to a service that accepts fewer rows a call")
  func bulkLimit() async throws {
    let service = try await RunningService.forClient(in: directory, ["--bulk-rows", "300"])
    try await withUserServiceClient(.test(service.port)) { client in
      let result = try await client.bulkCreateUsers(
        (400..<2_400).map { NewUser(email: "user\($0)@example.com") })
      #expect(result.failures.isEmpty && result.userIDs.count == 2_000)
      #expect(try await client.listUsers().all().map(\.id) == result.userIDs)
    }
    await service.stop()
  }

  @Test("updates and users are streamed in both directions, until the updates end")
  func updates() async throws {
    let service = try await RunningService.forClient(in: directory)
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

  @Test("a failed update ends the stream with its index; earlier ones were returned")
  func badUpdate() async throws {
    let service = try await RunningService.forClient(in: directory)
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
}
