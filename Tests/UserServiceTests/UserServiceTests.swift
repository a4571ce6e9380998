import Foundation
import GRPCCore
import SwiftProtobuf
import Synchronization
import TestSupport
import Testing
import UserProtos

/// The five methods over a socket, with grpc-swift's client.
@Suite(.tags(.heavy), .fewAtOnce, .timeLimit(.minutes(10))) struct UserServiceTests {
  // MARK: GetUser, CreateUser

  @Test("a created user is returned as stored, and again by its id")
  func createAndGet() async throws {
    try await withService { users, _ in
      let ada = try await users.createUser(
        CreateUser(" Ada@Example.com ", name: "Ada", password: "correct horse"))
      #expect(ada.email == "Ada@Example.com")
      #expect(ada.name == "Ada")
      #expect(ada.status == .active)
      #expect(ada.pageToken.isEmpty)
      #expect(abs(ada.createdAt.date.timeIntervalSinceNow) < 60)
      #expect(try await users.get(ada.id) == ada)
      #expect(try await users.get(ada.id.uppercased()) == ada)
    }
  }

  @Test("every invalid field is named, with the contract's message for an e-mail")
  func invalid() async throws {
    try await withService { users, _ in
      let email = try await Failure { try await users.createUser(CreateUser("nobody")) }
      #expect(email.code == .invalidArgument)
      #expect(email.message == "Invalid email")
      #expect(email.reason == "INVALID_REQUEST")
      #expect(email.fields == ["email"])
      let all = try await Failure {
        try await users.createUser(CreateUser("", name: "\u{0}", password: "short"))
      }
      #expect(all.fields == ["email", "name", "password"])
      let id = try await Failure { try await users.get("") }
      #expect(id.code == .invalidArgument)
      #expect(id.fields == ["user_id"])
    }
  }

  @Test("an address is registered once, regardless of letter case")
  func duplicate() async throws {
    try await withService { users, _ in
      _ = try await users.createUser(CreateUser("ada@example.com"))
      let failure = try await Failure { try await users.createUser(CreateUser("ADA@example.com")) }
      #expect(failure.code == .alreadyExists)
      #expect(failure.message == "Email already registered")
      #expect(failure.reason == "EMAIL_ALREADY_REGISTERED")
    }
  }

  @Test("an unknown id is not found, whatever its form")
  func notFound() async throws {
    try await withService { users, _ in
      for id in ["nobody", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "' OR 1=1 --", "\u{0}", "%", "🤷"] {
        let failure = try await Failure { try await users.get(id) }
        #expect(failure.code == .notFound)
        #expect(failure.message == "User \(id) not found")
        #expect(failure.reason == "USER_NOT_FOUND")
      }
      // As long as the message limit of the method permits.
      for long in [String(repeating: "x", count: 1_000), "a" + String(repeating: "\u{301}", count: 500)] {
        let failure = try await Failure { try await users.get(long) }
        #expect(failure.code == .notFound)
        #expect(failure.message.utf8.count < 100)
      }
      let tooLong = try await Failure { try await users.get(String(repeating: "x", count: 1 << 20)) }
      #expect(tooLong.code == .resourceExhausted)
    }
  }

  @Test("SQL, null bytes and megabytes in every field are data or a clear error")
  func hostileFields() async throws {
    try await withService { users, _ in
      let sql = "'; DROP TABLE users; --"
      let user = try await users.createUser(CreateUser("a'b@example.com", name: sql, password: sql + sql))
      #expect(user.name == sql)
      #expect(try await Failure { try await users.list(from: sql) }.fields == ["page_token"])
      let (updated, _) = try await users.update([User_V1_UserUpdateRequest(user.id) { $0.name = sql + sql }])
      #expect(updated.map(\.name) == [sql + sql])
      #expect(try await users.update([User_V1_UserUpdateRequest(sql)]).1?.code == .notFound)
      let bulk = try await users.bulkCreate([
        CreateUser(sql, name: sql), CreateUser("b'c@example.com", name: sql),
      ])
      #expect(bulk.createdCount == 1)
      _ = try await users.update([User_V1_UserUpdateRequest(bulk.userIds[0]) { $0.status = .inactive }])
      for hostile in ["\u{0}", "a\u{0}b", String(repeating: "x", count: 2_500)] {
        let created = try await Failure {
          try await users.createUser(CreateUser(hostile, name: hostile, password: hostile + "x"))
        }
        #expect(created.code == .invalidArgument)
        #expect(created.fields.starts(with: ["email", "name"]))
        let (_, updated) = try await users.update([User_V1_UserUpdateRequest(user.id) { $0.name = hostile }])
        #expect(updated?.code == .invalidArgument)
      }
      let megabyte = String(repeating: "x", count: 1 << 20)
      #expect(
        try await Failure { try await users.createUser(CreateUser(megabyte)) }.code == .resourceExhausted)
      #expect(
        try await users.update([User_V1_UserUpdateRequest(user.id) { $0.name = megabyte }]).1?.code
          == .resourceExhausted)
      #expect(try await users.list().map(\.id) == [user.id] + bulk.userIds)
    }
  }

  // MARK: ListUsers

  @Test("a listing is complete, ordered, and can be resumed from any token, even after a restart")
  func listing() async throws {
    let directory = try TemporaryDirectory()
    defer { withExtendedLifetime(directory) {} }
    let database = directory.path("users.db")
    let listed = Box<[User_V1_User]>([])
    try await withService(database: database) { users, _ in
      _ = try await users.bulkCreate((0..<25).map { CreateUser("user\($0)@example.com") })
      let all = try await users.list(pageSize: 10)
      #expect(all.map(\.email) == (0..<25).map { "user\($0)@example.com" })
      #expect(all.indices.filter { !all[$0].pageToken.isEmpty } == [9, 19, 24])
      listed.value = all
    }
    try await withService(database: database) { users, _ in
      let all = listed.value
      for index in [9, 19, 24] {
        let rest = try await users.list(pageSize: 10, from: all[index].pageToken)
        #expect(rest.map(\.id) == all[(index + 1)...].map(\.id))
      }
    }
  }

  @Test("the page size is 100 by default and at most 1,000")
  func pageSizes() async throws {
    try await withService { users, _ in
      _ = try await users.bulkCreate((0..<1_500).map { CreateUser("user\($0)@example.com") })
      for (asked, given) in [(0, 100), (1, 1), (1_000, 1_000), (5_000, 1_000), (Int32.max, 1_000)]
        as [(Int32, Int)]
      {
        let all = try await users.list(pageSize: asked)
        #expect(all.count == 1_500)
        #expect(all.firstIndex { !$0.pageToken.isEmpty } == given - 1)
      }
    }
  }

  @Test("a negative page size, and a token that this database did not issue, are refused")
  func badListing() async throws {
    let foreign = Box("")
    try await withService { users, _ in
      _ = try await users.createUser(CreateUser("ada@example.com"))
      foreign.value = try await users.list()[0].pageToken
    }
    try await withService { users, _ in
      let size = try await Failure { try await users.list(pageSize: -1) }
      #expect(size.code == .invalidArgument)
      #expect(size.fields == ["page_size"])
      let token = foreign.value
      #expect(token.count == 43)
      for forged in [
        token, String(token.dropLast()) + "x", "x", "\u{0}", "====", String(repeating: "A", count: 43),
        String(repeating: "A", count: 1_000),
      ] {
        let failure = try await Failure { try await users.list(from: forged) }
        #expect(failure.code == .invalidArgument)
        #expect(failure.fields == ["page_token"])
      }
    }
  }

  // MARK: BulkCreateUsers

  @Test("invalid rows are reported by index with CreateUser's error, and do not end the call")
  func bulkFailures() async throws {
    try await withService { users, _ in
      let response = try await users.bulkCreate([
        CreateUser("a@example.com"), CreateUser("bad"), CreateUser("A@EXAMPLE.COM"),
        CreateUser("b@example.com", password: "correct horse"), CreateUser("c@example.com", name: "\n"),
        CreateUser("d@example.com"),
      ])
      #expect(response.createdCount == 3)
      #expect(response.failures.map(\.index) == [1, 2, 4])
      #expect(response.failures.map(\.status.code) == [3, 6, 3])
      #expect(
        response.failures.map(\.status.message) == [
          "Invalid email", "Email already registered", "Invalid name",
        ])
      #expect(response.failures.allSatisfy { !$0.status.details.isEmpty })
      #expect(try await users.list().map(\.id) == response.userIds)
      #expect(try await users.list().map(\.email) == ["a@example.com", "b@example.com", "d@example.com"])
      let empty = try await users.bulkCreate([CreateUser]())
      #expect(empty == User_V1_BulkCreateResponse())
    }
  }

  @Test("a row too many ends the call and reports how many users stay stored")
  func tooManyRows() async throws {
    try await withService(["--bulk-rows", "50"]) { users, _ in
      let failure = try await Failure {
        try await users.bulkCreate((0..<10_000).lazy.map { CreateUser("user\($0)@example.com") })
      }
      #expect(failure.code == .resourceExhausted)
      #expect(failure.reason == "TOO_MANY_ROWS")
      #expect(failure.metadata["created_count"] == "50")
      #expect(try await users.list().count == 50)
    }
  }

  // MARK: UserUpdates

  @Test("updates are applied in order and come back as stored")
  func updates() async throws {
    try await withService { users, _ in
      let ada = try await users.createUser(
        CreateUser("ada@example.com", name: "Ada", password: "correct horse"))
      let (updated, error) = try await users.update([
        User_V1_UserUpdateRequest(ada.id) { $0.name = "Ada L." },
        User_V1_UserUpdateRequest(ada.id) { ($0.email, $0.status) = ("new@example.com", .inactive) },
        User_V1_UserUpdateRequest(ada.id) { $0.password = "" },
        User_V1_UserUpdateRequest(ada.id) { ($0.name, $0.status) = ("", .active) },
      ])
      #expect(error == nil)
      #expect(updated.map(\.name) == ["Ada L.", "Ada L.", "Ada L.", ""])
      #expect(
        updated.map(\.email) == ["ada@example.com", "new@example.com", "new@example.com", "new@example.com"])
      #expect(updated.map(\.status) == [.active, .inactive, .inactive, .active])
      #expect(try await users.get(ada.id) == updated.last)
    }
  }

  @Test("an invalid update ends the stream with its index; earlier ones are stored and returned")
  func badUpdate() async throws {
    try await withService { users, _ in
      let ada = try await users.createUser(CreateUser("ada@example.com"))
      let bob = try await users.createUser(CreateUser("bob@example.com"))
      let good = User_V1_UserUpdateRequest(ada.id) { $0.name = "good" }
      let cases: [(User_V1_UserUpdateRequest, RPCError.Code)] = [
        (User_V1_UserUpdateRequest("nobody"), .notFound), (User_V1_UserUpdateRequest(""), .invalidArgument),
        (User_V1_UserUpdateRequest(ada.id) { $0.status = .unspecified }, .invalidArgument),
        (User_V1_UserUpdateRequest(ada.id) { $0.status = .UNRECOGNIZED(9) }, .invalidArgument),
        (User_V1_UserUpdateRequest(ada.id) { $0.email = "" }, .invalidArgument),
        (User_V1_UserUpdateRequest(ada.id) { $0.email = bob.email.uppercased() }, .alreadyExists),
        (User_V1_UserUpdateRequest(ada.id) { $0.password = "short" }, .invalidArgument),
      ]
      for (bad, code) in cases {
        let (updated, error) = try await users.update([good, good, bad, good])
        #expect(updated.count == 2)
        #expect(error?.code == code)
        #expect(try error.map(Failure.init)?.metadata["request_index"] == "2")
      }
      #expect(try await users.get(ada.id).name == "good")
    }
  }
}

/// Passes a value from one closure of a test to the next.
private final class Box<Value: Sendable>: Sendable {
  private let storage: Mutex<Value>

  init(_ value: Value) {
    storage = Mutex(value)
  }

  var value: Value {
    get { storage.withLock { $0 } }
    set { storage.withLock { $0 = newValue } }
  }
}
