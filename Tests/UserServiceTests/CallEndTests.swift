import Foundation
import GRPCCore
import TestSupport
import Testing
import UserProtos

/// Calls that end early: deadlines, cancellation, shutdown of the service.
@Suite(.tags(.heavy), .fewAtOnce, .timeLimit(.minutes(10))) struct CallEndTests {
  private let directory: TemporaryDirectory
  private let database: String

  init() throws {
    directory = try TemporaryDirectory()
    database = directory.path("users.db")
  }

  /// Waits until the service refuses connections.
  private func untilDraining(_ service: RunningService) async throws {
    try await eventually("the service refuses connections") {
      try await Program.run("user-service", ["health", "--address", "127.0.0.1:\(service.port)"]).status != 0
    }
  }

  @Test("a call whose deadline has passed ends with DEADLINE_EXCEEDED and leaves nothing running")
  func deadline() async throws {
    let service = try await RunningService(["--database", database, "--shutdown-grace", "1h"])
    try await withUsers(service) { users in
      var options = CallOptions.defaults
      options.timeout = .milliseconds(50)
      let failure = try await Failure {
        try await users.userUpdates(metadata: [:], options: options) { writer in
          // Sends nothing, so that the call is open when the deadline comes.
          await untilCancelled()
        } onResponse: { response in
          for try await _ in response.messages {}
        }
      }
      #expect(failure.code == .deadlineExceeded)
    }
    #expect(await service.stop().status == 0)
  }

  @Test(
    "cancelled listings and bulk loads stop at the server: it shuts down without waiting for its grace time")
  func cancellation() async throws {
    let service = try await RunningService(["--database", database, "--shutdown-grace", "1h"])
    try await withUsers(service) { users in
      _ = try await users.bulkCreate((0..<20_000).lazy.map { CreateUser("user\($0)@example.com") })
      // Reads one user of 20,000 and disconnects.
      try await users.listUsers(User_V1_ListUsersRequest()) { response in
        for try await _ in response.messages { break }
      }
      let bulk = Task {
        try await users.bulkCreateUsers { writer in
          var number = 0
          while !Task.isCancelled {
            try await writer.write(CreateUser("bulk\(number)@example.com"))
            number += 1
          }
        }
      }
      try await eventually("1,000 users of the bulk load are stored") {
        try await users.list(pageSize: 1_000).count >= 21_000
      }
      bulk.cancel()
      _ = await bulk.result
    }
    #expect(await service.stop().status == 0)
  }

  @Test("a stream that runs at the start of a shutdown may finish; new calls are refused")
  func drain() async throws {
    let service = try await RunningService(["--database", database, "--shutdown-grace", "1h"])
    try await withUsers(service) { users in
      let ada = try await users.createUser(CreateUser("ada@example.com"))
      let (steps, next) = AsyncStream.makeStream(of: Int.self)
      let names = try await users.userUpdates { writer in
        for await step in steps {
          try await writer.write(User_V1_UserUpdateRequest(ada.id) { $0.name = "step \(step)" })
        }
      } onResponse: { response in
        next.yield(1)
        var names: [String] = []
        for try await user in response.messages {
          names.append(user.name)
          if names.count == 1 {
            service.signal(SIGTERM)
            try await untilDraining(service)
            next.yield(2)
          } else {
            next.finish()
          }
        }
        return names
      }
      #expect(names == ["step 1", "step 2"])
    }
    #expect(await service.waitUntilExit().status == 0)
  }

  @Test("after the grace time, calls are ended and the service exits normally")
  func graceTime() async throws {
    let service = try await RunningService(["--database", database, "--shutdown-grace", "100ms"])
    // The client's view of the end does not matter here.
    _ = try? await withUsers(service) { users in
      let ada = try await users.createUser(CreateUser("ada@example.com"))
      try await users.userUpdates { writer in
        try await writer.write(User_V1_UserUpdateRequest(ada.id))
        await untilCancelled()
      } onResponse: { response in
        for try await _ in response.messages { service.signal(SIGTERM) }
      }
    }
    let (status, errors) = await service.waitUntilExit()
    #expect(status == 0)
    #expect(errors.contains("the grace time is over"))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: directory.url.path).sorted()
        == ["users.db", "users.db.keys"])
  }

  @Test("a second signal ends the process at once")
  func secondSignal() async throws {
    let service = try await RunningService(["--database", database, "--shutdown-grace", "1h"])
    // The client's view of the end does not matter here.
    _ = try? await withUsers(service) { users in
      let ada = try await users.createUser(CreateUser("ada@example.com"))
      try await users.userUpdates { writer in
        try await writer.write(User_V1_UserUpdateRequest(ada.id))
        await untilCancelled()
      } onResponse: { response in
        for try await _ in response.messages {
          service.signal(SIGTERM)
          try await untilDraining(service)
          service.signal(SIGTERM)
        }
      }
    }
    #expect(await service.waitUntilExit().status == 1)
  }
}
