import Foundation
import SwiftProtobuf
import UserDomain
import UserProtos

/// Measures the service's calls beside the limits of their parts: nghttp2's own server for a request, SQLite's C API
/// for rows and transactions. Authentication is on, with a cached token; the log is at level warning; metrics are
/// recorded. Every limit and time-out is on, and every write is acknowledged after its fsync.
struct ServiceBenchmark {
  let folder: URL
  let database: String
  let users: Int
  let requests: Int

  /// Many short rounds, because the machine's other load varies.
  private static let rounds = 11

  func run(into report: inout Report) async throws {
    try await listUsers(into: &report)
    try await latency(into: &report)
  }

  private func listUsers(into report: inout Report) async throws {
    let token = try await BenchToken.make(.usersRead, database: database)
    let server = try BenchServer(.own, auth: true, database: database)
    defer { server.stop() }
    let request = try SampleRequests.list.framed()
    let calls = LoadGenerator("ListUsers", token, of: server, connections: 1, streams: 1)
    var (ours, raw): ([Double], [Double]) = ([], [])
    let listings = 3
    for round in 0...Self.rounds {
      let used = try server.cpuSeconds {
        let outcome = try calls.run(listings) { _ in request }.checked()
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
      note: "limit 1.4")
  }

  /// Measures GetUser during a bulk load and listings.
  private func latency(into report: inout Report) async throws {
    let request = try await SampleRequests.get(database, users: users)
    let token = try await BenchToken.make([.usersRead, .usersWrite], database: database)
    let server = try BenchServer(.own, auth: true, database: database)
    defer { server.stop() }
    let calls = LoadGenerator("GetUser", token, of: server)
    let beside = H2Load(server: server, folder: folder, token: token)
    var (alone, loaded): ([Double], [Double]) = ([], [])
    for round in 0..<5 {
      alone.append(try calls.run(requests) { _ in request }.checked().percentile99)
      let rows = (0..<min(users, 50_000)).map { number in
        User_V1_CreateUserRequest.with { $0.email = "beside-\(round)-\(number)@example.com" }
      }
      let bulk = try beside.start("BulkCreateUsers", rows, requests: 1)
      let listings = try beside.start("ListUsers", [SampleRequests.list], requests: 10)
      let outcome = try calls.run(
        .max, isOver: { !bulk.process.isRunning && !listings.process.isRunning }
      ) { _ in request }.checked()
      loaded.append(outcome.percentile99)
      try bulk.finish()
      try listings.finish()
    }
    report.line(
      "GetUser beside bulk load and listings, p99", ours: loaded.median, raw: alone.median,
      unit: "ms", note: "raw: alone; limit 3 ms")
  }
}
