import Foundation
import SwiftProtobuf
import UserDomain
import UserProtos
import UserStore

/// Measures the service's calls beside the limits of their parts: nghttp2's own server for a request, SQLite's C API
/// for rows and transactions. Authentication is on, with a cached token; the log is at level warning; metrics are
/// recorded. Every limit and time-out is on, and every write is acknowledged after its fsync.
struct ServiceBenchmark {
  let folder: URL
  let database: String
  let users: Int
  let requests: Int
  let creates: Int

  /// Many short rounds, because the machine's other load varies.
  private static let rounds = 11

  func run(into report: inout Report) async throws {
    try await getUser(into: &report)
    try await listUsers(into: &report)
    try await createUser(into: &report)
    try await bulkCreateUsers(into: &report)
    try await latency(into: &report)
  }

  private static func calls(_ method: String, _ token: String, of server: BenchServer) -> LoadGenerator {
    LoadGenerator(
      address: server.address,
      headers: LoadGenerator.headers("/user.v1.UserService/\(method)", at: server.address, token: token))
  }

  /// - Throws: when a call failed.
  @discardableResult
  private static func checked(_ outcome: LoadGenerator.Outcome) throws -> LoadGenerator.Outcome {
    guard outcome.failures == 0 else {
      throw RawDatabase.Failure(description: "\(outcome.failures) calls have failed")
    }
    return outcome
  }

  /// Returns a request for a user in the middle of the database.
  private func getRequest() async throws -> [UInt8] {
    let repository = try SQLiteUserRepository(.file(database))
    var listing = try UserListing(repository: repository, after: nil, pageSize: 1_000)
    var id: UserID?
    while let page = try listing.nextPage(), id == nil || Int.random(in: 0..<users / 500 + 1) > 0 {
      id = page.last?.id
    }
    try await repository.close()
    guard let id else { throw RawDatabase.Failure(description: "no users") }
    return try User_V1_GetUserRequest.with { $0.userID = "\(id)" }.framed()
  }

  private func getUser(into report: inout Report) async throws {
    let request = try await getRequest()
    let token = try await BenchToken.make(.usersRead, database: database)
    let files = folder.appendingPathComponent("www")
    try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
    try Data(repeating: UInt8(ascii: "x"), count: 100).write(to: files.appendingPathComponent("file"))
    let nghttpd = try BenchServer(nghttpdIn: files)
    defer { nghttpd.stop() }
    let own = try BenchServer(.own, auth: true, database: database)
    defer { own.stop() }
    let bare = try BenchServer(.own, auth: false, metrics: false, database: database)
    defer { bare.stop() }
    let get = LoadGenerator(
      address: nghttpd.address,
      headers: [
        (":method", "GET"), (":scheme", "http"), (":path", "/file"), (":authority", nghttpd.address),
        ("user-agent", "user-service-bench"),
      ])
    var costs: [[Double]] = [[], [], []]
    // Interleaved, so that the machine's other load affects all. The first round only warms up.
    for round in 0...Self.rounds {
      for (index, (server, calls, body)) in [
        (own, Self.calls("GetUser", token, of: own), request),
        (bare, Self.calls("GetUser", token, of: bare), request), (nghttpd, get, []),
      ].enumerated() {
        let used = try server.cpuSeconds { try Self.checked(try calls.run(requests) { _ in body }) }
        if round > 0 { costs[index].append(used * 1_000_000 / Double(requests)) }
      }
    }
    report.line(
      "GetUser beside nghttpd", ours: costs[0].median, raw: costs[2].median, unit: "µs CPU/call",
      note: "raw: nghttpd, a file of 100 bytes; limit 3.0")
    report.line(
      "GetUser beside one without auth and metrics", ours: costs[0].median, raw: costs[1].median,
      unit: "µs CPU/call",
      note: String(
        format: "authentication, log and metrics take %.2f µs of it; limit 1",
        costs[0].median - costs[1].median))
  }

  private func listUsers(into report: inout Report) async throws {
    let token = try await BenchToken.make(.usersRead, database: database)
    let server = try BenchServer(.own, auth: true, database: database)
    defer { server.stop() }
    let request = try User_V1_ListUsersRequest.with { $0.pageSize = 1_000 }.framed()
    var calls = Self.calls("ListUsers", token, of: server)
    (calls.connections, calls.streams) = (1, 1)
    var (ours, raw): ([Double], [Double]) = ([], [])
    let listings = 3
    for round in 0...Self.rounds {
      let used = try server.cpuSeconds {
        let outcome = try Self.checked(try calls.run(listings) { _ in request })
        guard outcome.bytes > listings * users * 50 else {
          throw RawDatabase.Failure(description: "a listing is incomplete")
        }
      }
      let scan = try await RawDatabase.scanAll(database, times: listings)
      if round > 0 {
        ours.append(used * 1_000_000 / Double(listings * users))
        raw.append(scan.cpuMicroseconds(per: listings * users))
      }
    }
    report.line(
      "ListUsers beside a scan, \(users) users", ours: ours.median, raw: raw.median, unit: "µs CPU/row",
      note: "limit 2.2")
  }

  private func createUser(into report: inout Report) async throws {
    var (ours, raw, costs): ([Double], [Double], [Double]) = ([], [], [])
    let count = creates * 4
    for round in 0..<5 {
      let database = folder.appendingPathComponent("calls-\(round).db").path
      let server = try BenchServer(.own, auth: true, database: database)
      defer { server.stop() }
      let token = try await BenchToken.make(.usersWrite, database: database)
      let bodies = try (0..<count).map { number in
        let user = SampleUser(number)
        return try User_V1_CreateUserRequest.with { ($0.email, $0.name) = (user.email, user.name) }.framed()
      }
      let calls = Self.calls("CreateUser", token, of: server)
      var rate = 0.0
      let used = try server.cpuSeconds {
        rate = Double(count) / (try Self.checked(try calls.run(count) { bodies[$0] })).seconds
      }
      ours.append(rate)
      costs.append(used * 1_000_000 / Double(count))
      raw.append(
        try await RawDatabase.create(creates, rowsPerTransaction: 1, in: folder).rate(of: creates))
    }
    report.line(
      "CreateUser, 8 × 32 calls at once", ours: ours.median, raw: raw.median, unit: "users/s",
      note: String(
        format: "raw: a transaction a user; at least 6; %.1f µs CPU/call", costs.median))
  }

  private func bulkCreateUsers(into report: inout Report) async throws {
    let rows = min(users, 100_000)
    let requests = (0..<rows).map { number in
      let user = SampleUser(number)
      return User_V1_CreateUserRequest.with { ($0.email, $0.name) = (user.email, user.name) }
    }
    var (ours, raw): ([Double], [Double]) = ([], [])
    for round in 0..<3 {
      let database = folder.appendingPathComponent("bulk-\(round).db").path
      let server = try BenchServer(.own, auth: true, database: database)
      defer { server.stop() }
      let token = try await BenchToken.make(.usersWrite, database: database)
      let load = H2Load(server: server, folder: folder, token: token)
      let used = try server.cpuSeconds { try load.run("BulkCreateUsers", requests, requests: 1) }
      ours.append(used * 1_000_000 / Double(rows))
      raw.append(try await RawDatabase.load(rows, into: database + "-raw").cpuMicroseconds(per: rows))
    }
    report.line(
      "BulkCreateUsers, one stream of \(rows)", ours: ours.median, raw: raw.median, unit: "µs CPU/row",
      note: "raw: 1,000 rows a transaction; limit 2")
  }

  /// Measures GetUser during a bulk load and listings.
  private func latency(into report: inout Report) async throws {
    let request = try await getRequest()
    let token = try await BenchToken.make([.usersRead, .usersWrite], database: database)
    let server = try BenchServer(.own, auth: true, database: database)
    defer { server.stop() }
    let calls = Self.calls("GetUser", token, of: server)
    let beside = H2Load(server: server, folder: folder, token: token)
    var (alone, loaded): ([Double], [Double]) = ([], [])
    for round in 0..<5 {
      alone.append(try Self.checked(try calls.run(requests) { _ in request }).percentile99)
      let rows = (0..<min(users, 50_000)).map { number in
        User_V1_CreateUserRequest.with { $0.email = "beside-\(round)-\(number)@example.com" }
      }
      let bulk = try beside.start("BulkCreateUsers", rows, requests: 1)
      let listings = try beside.start(
        "ListUsers", [User_V1_ListUsersRequest.with { $0.pageSize = 1_000 }], requests: 10)
      let outcome = try Self.checked(
        try calls.run(.max, isOver: { !bulk.process.isRunning && !listings.process.isRunning }) { _ in request
        })
      loaded.append(outcome.percentile99)
      try bulk.finish()
      try listings.finish()
    }
    report.line(
      "GetUser beside bulk load and listings, p99", ours: loaded.median, raw: alone.median,
      unit: "ms", note: "raw: alone; limit 3 ms")
  }
}
