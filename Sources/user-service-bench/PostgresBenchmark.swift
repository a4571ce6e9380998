import Foundation
import SwiftProtobuf
import UserDomain
import UserProtos
import UserStorePostgres

/// Measures the service over PostgreSQL beside a program that does the same by libpq alone, one statement after another
/// (`libpq-yardstick`), on the same database. Authentication is on, with a cached token; every write is acknowledged after its
/// commit is durable.
struct PostgresBenchmark {
  let folder: URL
  let uri: String
  let users: Int
  let calls: Int
  let creates: Int

  private static let rounds = 5

  private var keys: String { folder.appendingPathComponent("bench.keys").path }

  func run(into report: inout Report) async throws {
    let server = try BenchServer(.own, auth: true, database: uri, keys: keys)
    defer { server.stop() }
    let token = try await BenchToken.make([.usersRead, .usersWrite], keys: keys)
    try bulk(server, token, into: &report)
    try await gets(server, token, into: &report)
    try list(server, token, into: &report)
    try creates(server, token, into: &report)
  }

  private func bulk(_ server: BenchServer, _ token: String, into report: inout Report) throws {
    let loads = H2Load(server: server, folder: folder, token: token)
    var (ours, costs, raw): ([Double], [Double], [Double]) = ([], [], [])
    let rows = users / Self.rounds
    for round in 0..<Self.rounds {
      let requests = (round * rows..<(round + 1) * rows).map(SampleRequests.create)
      let began = ContinuousClock.now
      costs.append(
        try server.cpuSeconds { try loads.run("BulkCreateUsers", requests, requests: 1) } * 1_000_000
          / Double(rows))
      ours.append((ContinuousClock.now - began) / .microseconds(1) / Double(rows))
      raw.append(try Yardstick.run("copy", uri, rows).wallMicroseconds)
    }
    report.line(
      "BulkCreateUsers, one stream of \(rows)", ours: ours.median, raw: raw.median, unit: "µs/row",
      note: String(format: "raw: COPY; limit 2; %.1f µs CPU/row", costs.median))
  }

  private func gets(_ server: BenchServer, _ token: String, into report: inout Report) async throws {
    let requests = try await sampleRequests()
    let generator = LoadGenerator("GetUser", token, of: server)
    var (ours, raw): ([Double], [Double]) = ([], [])
    for round in 0...Self.rounds {
      let count = calls / 4
      let used = try server.cpuSeconds {
        try generator.run(count) { requests[$0 % requests.count] }.checked()
      }
      let reference = try Yardstick.run("get", uri, count / 4)
      if round > 0 {
        ours.append(used * 1_000_000 / Double(count))
        raw.append(reference.cpuMicroseconds)
      }
    }
    report.line(
      "GetUser, 8 × 32 calls at once", ours: ours.median, raw: raw.median, unit: "µs CPU/call",
      note: "raw: a statement at a time; limit 1.5")
  }

  private func list(_ server: BenchServer, _ token: String, into report: inout Report) throws {
    let request = try SampleRequests.list.framed()
    let generator = LoadGenerator("ListUsers", token, of: server, connections: 1, streams: 1)
    var (ours, raw): ([Double], [Double]) = ([], [])
    for round in 0...Self.rounds {
      let used = try server.cpuSeconds {
        let outcome = try generator.run(2) { _ in request }.checked()
        guard outcome.bytes > 2 * users * 50 else {
          throw RawDatabase.Failure(description: "a listing is incomplete")
        }
      }
      let reference = try Yardstick.run("list", uri, 2)
      if round > 0 {
        ours.append(used * 1_000_000 / Double(reference.rows))
        raw.append(reference.cpuMicroseconds)
      }
    }
    report.line(
      "ListUsers beside a cursor, \(users) users", ours: ours.median, raw: raw.median, unit: "µs CPU/row",
      note: "limit 2.2")
  }

  private func creates(_ server: BenchServer, _ token: String, into report: inout Report) throws {
    let generator = LoadGenerator("CreateUser", token, of: server)
    var (ours, costs, raw): ([Double], [Double], [Double]) = ([], [], [])
    for round in 0..<Self.rounds {
      let bodies = try (0..<creates * 4).map {
        try SampleRequests.create(users + round * creates * 4 + $0).framed()
      }
      var rate = 0.0
      let used = try server.cpuSeconds {
        rate = Double(bodies.count) / (try generator.run(bodies.count) { bodies[$0] }.checked()).seconds
      }
      ours.append(rate)
      costs.append(used * 1_000_000 / Double(bodies.count))
      raw.append(1_000_000 / (try Yardstick.run("create", uri, creates / 2).wallMicroseconds))
    }
    report.line(
      "CreateUser, 8 × 32 calls at once", ours: ours.median, raw: raw.median, unit: "users/s",
      note: String(format: "raw: an insert a commit; at least 5; %.1f µs CPU/call", costs.median))
  }

  /// Returns requests for users all over the database.
  private func sampleRequests() async throws -> [[UInt8]] {
    let repository = try await PostgresUserRepository(try PostgresAddress(uri), schema: .requireCurrent)
    var listing = try await UserListing(repository: repository, after: nil, pageSize: 1_000)
    var ids: [UserID] = []
    // The yardstick's users go with its next run.
    while let page = try await listing.nextPage() {
      ids += page.filter { $0.email.address.hasPrefix("user-") }.map(\.id)
    }
    try await repository.close()
    return try ids.shuffled().prefix(10_000).map { id in
      try User_V1_GetUserRequest.with { $0.userID = "\(id)" }.framed()
    }
  }
}

/// A run of `libpq-yardstick`.
private struct Yardstick {
  let cpuMicroseconds: Double
  let wallMicroseconds: Double
  let rows: Int

  static func run(_ work: String, _ uri: String, _ count: Int) throws -> Yardstick {
    let process = Process()
    let output = Pipe()
    process.executableURL = BenchServer.program.deletingLastPathComponent()
      .appendingPathComponent("libpq-yardstick")
    process.arguments = [work, uri, "\(count)"]
    process.standardOutput = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
    guard process.terminationStatus == 0, numbers.count == 3 else {
      throw RawDatabase.Failure(description: "libpq-yardstick \(work): \(text)")
    }
    return Yardstick(
      cpuMicroseconds: numbers[0] * 1_000_000 / numbers[2],
      wallMicroseconds: numbers[1] * 1_000_000 / numbers[2],
      rows: Int(numbers[2]))
  }
}
