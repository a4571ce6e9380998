import Foundation
import SwiftProtobuf
import UserDomain
import UserProtos

/// Measures the rest of a user's life: look-up by address, search, update, deletion and import. Authentication is on, with
/// a cached token; every write is acknowledged after its fsync.
struct LifeBenchmark {
  let folder: URL
  /// The number of users in the database.
  let users: Int
  let requests: Int

  private static let rounds = 11
  private static let changed = 20_000
  private static let imported = 50_000

  func run(into report: inout Report) async throws {
    let database = folder.appendingPathComponent("life.db").path
    _ = try await RawDatabase.load(users, into: database)
    let token = try await BenchToken.make(.all, database: database)
    let server = try BenchServer(.own, auth: true, database: database)
    defer { server.stop() }
    try lookUp(server, token, into: &report)
    try search(server, token, into: &report)
    try change(server, token, into: &report)
    try importRows(server, token, into: &report)
  }

  private func lookUp(_ server: BenchServer, _ token: String, into report: inout Report) throws {
    // One user, whose pages are in memory as they are for the benchmark of GetUser, and users all over the database.
    for numbers in [[users / 2], (0..<10_000).map { _ in Int.random(in: 0..<users) }] {
      try lookUp(numbers, server, token, into: &report)
    }
  }

  private func lookUp(
    _ numbers: [Int], _ server: BenchServer, _ token: String, into report: inout Report
  ) throws {
    let byID = try numbers.map { number in
      try User_V1_GetUserRequest.with { $0.userID = "\(RawDatabase.id(number))" }.framed()
    }
    let byEmail = try numbers.map { number in
      try User_V1_GetUserByEmailRequest.with { $0.email = SampleUser(number).email }.framed()
    }
    var costs: [[Double]] = [[], []]
    for round in 0...Self.rounds {
      for (index, (method, bodies)) in [("GetUser", byID), ("GetUserByEmail", byEmail)].enumerated() {
        let calls = LoadGenerator(method, token, of: server)
        let used = try server.cpuSeconds { try calls.run(requests) { bodies[$0 % bodies.count] }.checked() }
        if round > 0 { costs[index].append(used * 1_000_000 / Double(requests)) }
      }
    }
    report.line(
      "GetUserByEmail, \(numbers.count == 1 ? "one user" : "\(numbers.count) users") of \(users)",
      ours: costs[1].median,
      raw: costs[0].median, unit: "µs CPU/call",
      note: "raw: GetUser" + (numbers.count == 1 ? "; limit 1.1" : ""))
  }

  /// Searches for addresses and for names with beginnings that about a hundred users have.
  private func search(_ server: BenchServer, _ token: String, into report: inout Report) throws {
    let calls = LoadGenerator("ListUsers", token, of: server, connections: 1, streams: 1)
    for field in ["email", "name"] {
      let bodies = try (0..<1_000).map { _ in
        let sample = SampleUser(Int.random(in: users / 1_000..<users / 100))
        // "user-" and three digits of eight, or a number without its last two digits.
        let beginning = field == "email" ? String(sample.email.prefix(8)) : sample.name
        return try User_V1_ListUsersRequest.with { $0.filter = "\(field) = \"\(beginning)*\"" }.framed()
      }
      let outcome = try calls.run(bodies.count) { bodies[$0] }.checked()
      report.line(
        "search by the beginning of \(field), p99", ours: outcome.percentile99, raw: nil, unit: "ms",
        note: "\(outcome.bytes / bodies.count / 120) users on average; limit 2 ms")
    }
  }

  private func change(_ server: BenchServer, _ token: String, into report: inout Report) throws {
    let count = min(Self.changed, users / 2)
    let etag = UserVersion(RawDatabase.createdAt).etag
    let updates = try (0..<count).map { number in
      try User_V1_UpdateUserRequest.with {
        $0.user.id = "\(RawDatabase.id(number))"
        ($0.user.etag, $0.user.status) = (etag, .inactive)
      }.framed()
    }
    try measure(
      "UpdateUser with an etag", server, LoadGenerator("UpdateUser", token, of: server), updates,
      into: &report)
    let deletions = try (count..<2 * count).map { number in
      try User_V1_DeleteUserRequest.with { ($0.userID, $0.etag) = ("\(RawDatabase.id(number))", etag) }
        .framed()
    }
    try measure(
      "DeleteUser with an etag", server, LoadGenerator("DeleteUser", token, of: server), deletions,
      into: &report)
  }

  private func measure(
    _ what: String, _ server: BenchServer, _ calls: LoadGenerator, _ bodies: [[UInt8]],
    into report: inout Report
  ) throws {
    var seconds = 0.0
    let used = try server.cpuSeconds {
      seconds = try calls.run(bodies.count) { bodies[$0] }.checked().seconds
    }
    report.line(
      what, ours: used * 1_000_000 / Double(bodies.count), raw: nil, unit: "µs CPU/call",
      note: String(format: "%.0f/s, 8 × 32 calls at once", Double(bodies.count) / seconds))
  }

  private func importRows(_ server: BenchServer, _ token: String, into report: inout Report) throws {
    let rows = (0..<Self.imported).map { number in
      let sample = SampleUser(users + number)
      return User_V1_ImportUserRequest.with {
        $0.id = "\(RawDatabase.id(users + number))"
        ($0.email, $0.name) = (sample.email, sample.name)
        $0.createdAt = Google_Protobuf_Timestamp(seconds: 1_600_000_000 + Int64(number), nanos: 0)
        $0.passwordHash = "$2b$10$abcdefghijklmnopqrstuuKsjgzG8mV0bmPqIMnR3ixySXvZ8B6lK"
      }
    }
    let load = H2Load(server: server, folder: folder, token: token)
    let began = ContinuousClock.now
    let used = try server.cpuSeconds { try load.run("ImportUsers", rows, requests: 1) }
    let seconds = (ContinuousClock.now - began) / .seconds(1)
    report.line(
      "import of a row with id, date and hash", ours: used * 1_000_000 / Double(rows.count), raw: nil,
      unit: "µs CPU/row", note: String(format: "%.0f/s", Double(rows.count) / seconds))
  }
}
