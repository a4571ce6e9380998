import Foundation
import SwiftProtobuf
import UserDomain
import UserProtos

/// Measures CreateUser and BulkCreateUsers beside inserts by SQLite's C API, in transactions of as many rows. Every write
/// is acknowledged after its fsync.
struct WriteBenchmark {
  let folder: URL
  let users: Int
  let creates: Int

  private static let rounds = 5

  func run(into report: inout Report) async throws {
    try await createUser(into: &report)
    try await bulkCreateUsers(into: &report)
  }

  private func createUser(into report: inout Report) async throws {
    var rates: (ours: [Double], grouped: [Double], single: [Double]) = ([], [], [])
    var (costs, rows): ([Double], [Double]) = ([], [])
    let count = creates * 4
    let bodies = try (0..<count).map { try SampleRequests.create($0).framed() }
    for round in 0..<Self.rounds {
      let database = folder.appendingPathComponent("calls-\(round).db").path
      let server = try BenchServer(.own, auth: true, database: database)
      defer { server.stop() }
      let token = try await BenchToken.make(.usersWrite, database: database)
      let calls = LoadGenerator("CreateUser", token, of: server)
      var rate = 0.0
      let before = try RawDatabase.transactions(database)
      let used = try server.cpuSeconds {
        rate = Double(count) / (try calls.run(count) { bodies[$0] }.checked()).seconds
      }
      let rowsPerTransaction =
        Double(count) / Double(max(try RawDatabase.transactions(database) &- before, 1))
      rates.ours.append(rate)
      costs.append(used * 1_000_000 / Double(count))
      rows.append(rowsPerTransaction)
      let grouped = try await RawDatabase.create(
        count, rowsPerTransaction: max(Int(rowsPerTransaction.rounded()), 1), in: folder)
      rates.grouped.append(grouped.rate(of: count))
      let single = try await RawDatabase.create(creates, rowsPerTransaction: 1, in: folder)
      rates.single.append(single.rate(of: creates))
    }
    report.line(
      "CreateUser, 8 × 32 calls at once", ours: rates.ours.median, raw: rates.grouped.median, unit: "users/s",
      note: String(
        format: "raw: %.0f rows a transaction, as here; at least 0.9; %.1f µs CPU/call", rows.median,
        costs.median))
    report.line(
      "the same beside a transaction a user", ours: rates.ours.median, raw: rates.single.median,
      unit: "users/s",
      note: "at least 6")
  }

  private func bulkCreateUsers(into report: inout Report) async throws {
    let rows = min(users, 100_000)
    let requests = (0..<rows).map(SampleRequests.create)
    let messages = try requests.map { try $0.framed() }
    var (filled, single, raw): ([Double], [Double], [Double]) = ([], [], [])
    for round in 0..<Self.rounds {
      filled.append(
        try await load("bulk-\(round)", rows) { server, token in
          try H2Load(server: server, folder: folder, token: token).run(
            "BulkCreateUsers", requests, requests: 1)
        })
      single.append(
        try await load("frames-\(round)", rows) { server, token in
          try LoadGenerator("BulkCreateUsers", token, of: server).upload(messages)
        })
      let database = folder.appendingPathComponent("bulk-raw-\(round).db").path
      raw.append(try await RawDatabase.load(rows, into: database).cpuMicroseconds(per: rows))
    }
    report.line(
      "BulkCreateUsers, one stream of \(rows)", ours: filled.median, raw: raw.median, unit: "µs CPU/row",
      note: "raw: 1,000 rows a transaction; limit 1.15")
    report.line(
      "the same, a DATA frame a row", ours: single.median, raw: raw.median, unit: "µs CPU/row",
      note: "raw: 1,000 rows a transaction; limit 1.4")
  }

  /// Returns the CPU time of a server for a row that `work` loads into its empty database, in microseconds.
  private func load(
    _ name: String, _ rows: Int, _ work: (BenchServer, String) throws -> Void
  ) async throws -> Double {
    let database = folder.appendingPathComponent("\(name).db").path
    let server = try BenchServer(.own, auth: true, database: database)
    defer { server.stop() }
    let token = try await BenchToken.make(.usersWrite, database: database)
    return try server.cpuSeconds { try work(server, token) } * 1_000_000 / Double(rows)
  }
}
