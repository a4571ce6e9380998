import AsyncAlgorithms
import Foundation
import GRPCCore
import SwiftProtobuf
import Synchronization
import Testing
import UserProtos

@testable import UserServiceClient

/// Imports and exports of the client.
@Suite(.timeLimit(.minutes(5))) struct ImportTests {
  private static func users(_ range: Range<Int>) -> [ImportedUser] {
    range.map { ImportedUser(email: "user\($0)@example.com") }
  }

  /// Imports `users`, and returns their outcomes and the number of parts in which they came.
  private static func outcomes(
    _ users: [ImportedUser], port: Int, validateOnly: Bool = false,
    change: (inout UserServiceClient.Configuration) -> Void = { _ in }
  ) async throws -> [ImportOutcome] {
    var configuration = UserServiceClient.Configuration.test(port)
    configuration.retries.initialBackoff = .milliseconds(1)
    change(&configuration)
    var outcomes: [ImportOutcome] = []
    try await withUserServiceClient(configuration) { client in
      try await client.importUsers(users.async, validateOnly: validateOnly) { batch in
        #expect(batch.firstIndex == outcomes.count)
        outcomes += batch.outcomes
      }
    }
    return outcomes
  }

  @Test("each row has its outcome, in order", arguments: [0, 1, 300, 20_000])
  func order(count: Int) async throws {
    let service = ImportContract()
    try await withServer(service) { port in
      var users = Self.users(0..<count)
      if count > 100 { users[100].email = "bad" }
      if count > 200 { users[200].email = "user50@example.com" }
      let outcomes = try await Self.outcomes(users, port: port)
      #expect(outcomes.count == count)
      for (index, outcome) in outcomes.enumerated() {
        switch index {
        case 100: #expect(outcome == .failed(.emailAlreadyRegistered))
        case 200: #expect(outcome == .alreadyStored(id: "id-50"))
        default: if case .stored = outcome {} else { Issue.record("\(index): \(outcome)") }
        }
      }
      #expect(service.stored.count == max(count - (count > 200 ? 2 : 0), 0))
    }
  }

  @Test("rows without a result are sent again when the connection is lost, and none twice otherwise")
  func lostConnections() async throws {
    let service = ImportContract([
      .failed(.unavailable, afterRows: 0), .failed(.unavailable, afterRows: 700),
      .failed(.unavailable, afterRows: 1, unansweredRows: 20), .failed(.unavailable, afterRows: 5_000),
    ])
    try await withServer(service) { port in
      let users = Self.users(0..<20_000)
      let outcomes = try await Self.outcomes(users, port: port)
      #expect(outcomes.count == users.count)
      #expect(service.stored == users.map(\.email))
      let repeated = outcomes.filter { if case .alreadyStored = $0 { true } else { false } }
      #expect(repeated.count == 20)
      #expect(service.calls == 5)
    }
  }

  @Test("a connection that is closed at any place costs no row")
  func cutConnections() async throws {
    let service = ImportContract()
    try await withServer(service) { port in
      let plans = [100, 2_000, 30_000, 200_000].map { Proxy.Plan.cut(afterBytes: $0) }
      let proxy = try await Proxy(to: port, plans)
      let users = Self.users(0..<20_000)
      let outcomes = try await Self.outcomes(users, port: proxy.port)
      #expect(outcomes.count == users.count)
      #expect(service.stored == users.map(\.email))
      #expect(proxy.connectionCount > 4)
      try await proxy.close()
    }
  }

  @Test("an import without progress fails after its attempts, and so do errors that are not retried")
  func failures() async throws {
    let unavailable = ImportContract(.init(repeating: .failed(.unavailable, afterRows: 0), count: 9))
    try await withServer(unavailable) { port in
      await #expect(throws: UserServiceError.unavailable("planned")) {
        _ = try await Self.outcomes(Self.users(0..<10), port: port)
      }
    }
    #expect(unavailable.calls == 3)
    let refused = ImportContract([.failed(.permissionDenied, afterRows: 5)])
    try await withServer(refused) { port in
      await #expect(throws: UserServiceError.permissionDenied(missingScope: nil)) {
        _ = try await Self.outcomes(Self.users(0..<20_000), port: port)
      }
    }
    #expect(refused.calls == 1)
  }

  @Test(
    "a service that ends the import early, or reports another row, fails it",
    arguments: [ImportContract.End.early(afterRows: 5), .disordered(afterRows: 5)])
  func protocolViolations(end: ImportContract.End) async throws {
    try await withServer(ImportContract([end])) { port in
      let error = await #expect(throws: UserServiceError.self) {
        _ = try await Self.outcomes(Self.users(0..<1_000), port: port)
      }
      guard case .failed(status: "internalError", _, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  @Test("an import fails when the service is silent for the idle time-out")
  func silence() async throws {
    let ends: [ImportContract.End] = .init(repeating: .silent(afterRows: 3), count: 3)
    try await withServer(ImportContract(ends)) { port in
      await #expect(throws: UserServiceError.deadlineExceeded) {
        _ = try await Self.outcomes(Self.users(0..<10), port: port) {
          $0.idleTimeout = .milliseconds(200)
          $0.retries = .never
        }
      }
    }
  }

  @Test("a row that is too large to be sent fails alone, in its place")
  func largeRows() async throws {
    let service = ImportContract()
    try await withServer(service) { port in
      var users = Self.users(0..<1_000)
      for index in [0, 1, 400, 999] { users[index].name = String(repeating: "x", count: 9_000) }
      users[500].labels = ["key": String(repeating: "x", count: 9_000)]
      let outcomes = try await Self.outcomes(users, port: port)
      #expect(service.stored.count == 995)
      var failed: [Int: String] = [:]
      for (index, outcome) in outcomes.enumerated() {
        if case .failed(.invalidUser(let fields)) = outcome { failed[index] = fields.first?.name }
      }
      #expect(failed == [0: "name", 1: "name", 400: "name", 500: "labels", 999: "name"])
      #expect(outcomes.count == 1_000)
    }
  }

  private struct Planned: Error {}

  /// The first 700 users, and then an error.
  private struct BrokenSequence: AsyncSequence, AsyncIteratorProtocol {
    var rest = ImportTests.users(0..<700)[...]

    mutating func next() async throws -> ImportedUser? {
      guard let user = rest.popFirst() else { throw Planned() }
      return user
    }

    func makeAsyncIterator() -> Self { self }
  }

  @Test("after an error of the sequence, the rows before it are reported, and the error is thrown")
  func brokenSequence() async throws {
    let service = ImportContract()
    try await withServer(service) { port in
      let outcomes = Mutex(0)
      await #expect(throws: Planned.self) {
        try await withUserServiceClient(.test(port)) { client in
          try await client.importUsers(BrokenSequence()) { batch in
            outcomes.withLock { $0 += batch.outcomes.count }
          }
        }
      }
      #expect(outcomes.withLock { $0 } == 700)
      #expect(service.stored.count == 700)
    }
  }

  @Test("an error of the callback ends the import")
  func brokenCallback() async throws {
    try await withServer(ImportContract()) { port in
      await #expect(throws: Planned.self) {
        try await withUserServiceClient(.test(port)) { client in
          try await client.importUsers(Self.users(0..<20_000).async) { _ in throw Planned() }
        }
      }
    }
  }

  @Test("an import ends when its task is cancelled")
  func cancellation() async throws {
    try await withServer(ImportContract([.silent(afterRows: 1)])) { port in
      let task = Task {
        try await withUserServiceClient(.test(port)) { client in
          try await client.importUsers(Self.users(0..<20_000).async) { _ in
            withUnsafeCurrentTask { $0?.cancel() }
          }
        }
      }
      await #expect(throws: UserServiceError.cancelled) { try await task.value }
    }
  }

  @Test("rows that are only checked are not stored")
  func validation() async throws {
    let service = ImportContract()
    try await withServer(service) { port in
      let outcomes = try await Self.outcomes(
        Self.users(0..<3) + [ImportedUser(email: "bad")], port: port, validateOnly: true)
      #expect(
        outcomes == [.stored(id: ""), .stored(id: ""), .stored(id: ""), .failed(.emailAlreadyRegistered)])
      #expect(service.stored.isEmpty)
    }
  }

  @Test("every field arrives, and times are exact to the microsecond")
  func fields() throws {
    let created = Date(timeIntervalSince1970: 1_764_000_000.123_457)
    let user = ImportedUser(
      id: "0190163d-8694-739b-aea5-966c26f8ad91", email: "ada@example.com", name: "Ada", status: .inactive,
      createdAt: created, updatedAt: created + 1, deletedAt: created + 2, purgeAt: created + 3,
      labels: ["tenant": "a"], passwordHash: "$2b$", password: "correct horse")
    let message = User_V1_ImportUserRequest(user, validateOnly: true)
    #expect(message.createdAt.nanos == 123_457_000 && message.validateOnly)
    let read = ImportedUser(message)
    #expect(read.createdAt.map { abs($0.timeIntervalSince(created)) < 1e-6 } == true)
    #expect(User_V1_ImportUserRequest(read, validateOnly: true) == message)
    #expect(ImportedUser(User_V1_ImportUserRequest()) == ImportedUser(email: ""))
  }

  @Test(
    "a date of any size is sent as a timestamp",
    arguments: [
      (-0.000_001, -1, 999_999_000), (0, 0, 0), (.nan, 0, 0), (.infinity, 253_402_300_799, 999_999_000),
      (-.infinity, -62_135_596_800, 0), (1e300, 253_402_300_799, 999_999_000),
    ])
  func dates(seconds: Double, whole: Int64, nanos: Int32) {
    let message = User_V1_ImportUserRequest(
      ImportedUser(email: "", createdAt: Date(timeIntervalSince1970: seconds)), validateOnly: false)
    #expect(message.createdAt.seconds == whole)
    // Numbers of that size have no microseconds.
    if whole < 1_000_000 { #expect(message.createdAt.nanos == nanos) }
  }

  @Test("an export continues after its last page when the connection is lost, and has hashes only on request")
  func export() async throws {
    let pages = (0..<5).map { page in
      (0..<10).map { place in
        User_V1_ImportUserRequest.with {
          $0.email = "user\(page * 10 + place)@example.com"
          $0.passwordHash = "$2b$"
        }
      }
    }
    let service = ImportContract(pages: pages, exportCuts: [5, 25, 10])
    try await withServer(service) { port in
      try await withUserServiceClient(.test(port)) { client in
        var exported: [ImportedUser] = []
        for try await user in client.exportUsers(passwordHashes: true) { exported.append(user) }
        #expect(exported.map(\.email) == pages.joined().map(\.email))
        #expect(exported.allSatisfy { $0.passwordHash == "$2b$" })
        #expect(service.exportTokens == ["", "", "2", "3"])
        for try await user in client.exportUsers() { #expect(user.passwordHash == nil) }
      }
    }
  }
}
