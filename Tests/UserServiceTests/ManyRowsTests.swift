import GRPCCore
import TestSupport
import Testing
import UserProtos

/// Bulk loads with the maximum number of rows. Each keeps every thread of the tests busy for seconds.
@Suite(.tags(.heavy), .alone, .timeLimit(.minutes(10))) struct ManyRowsTests {
  @Test("100,000 failed rows fit in one response, and each is reported")
  func allRowsFail() async throws {
    try await withService { users, _ in
      let response = try await users.bulkCreate((0..<100_000).lazy.map { _ in CreateUser("bad") })
      #expect(response.createdCount == 0)
      #expect(response.failures.map(\.index) == (0..<100_000).map(Int32.init))
      #expect(response.failures.allSatisfy { $0.status.code == 3 })
      #expect(response.failures[0].status.message == "Invalid email")
    }
  }

  @Test("100,000 users load and list back complete and in order while others are created")
  func hundredThousand() async throws {
    try await withService { users, service in
      async let others: Void = withUsers(service) { users in
        for number in 0..<200 { _ = try await users.createUser(CreateUser("other\(number)@example.com")) }
      }
      let response = try await users.bulkCreate(
        (0..<100_000).lazy.map { CreateUser("user\($0)@example.com") })
      #expect(response.createdCount == 100_000)
      #expect(response.failures.isEmpty)
      let all = try await users.list(pageSize: 1_000)
      #expect(all.map(\.id) == all.map(\.id).sorted())
      #expect(all.lazy.map(\.id).filter(Set(response.userIds).contains).elementsEqual(response.userIds))
      try await others
      // No more users are created, so the rest after each token is exact.
      let full = try await users.list(pageSize: 1_000)
      #expect(full.count == 100_200)
      let tokens = full.indices.filter { !full[$0].pageToken.isEmpty }
      for index in [tokens[0], tokens[tokens.count / 2], tokens[tokens.count - 2], tokens[tokens.count - 1]] {
        let rest = try await users.list(pageSize: 1_000, from: full[index].pageToken)
        #expect(rest.map(\.id) == full[(index + 1)...].map(\.id))
      }
    }
  }
}
