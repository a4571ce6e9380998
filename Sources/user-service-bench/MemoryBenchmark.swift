import Foundation
import SwiftProtobuf
import UserDomain
import UserProtos

/// Measures the memory of `user-service serve`: when it is idle after its start, after every kind of load, and when it has
/// been idle again for a minute.
struct MemoryBenchmark {
  let folder: URL
  let database: String
  let users: Int
  let requests: Int

  private static let pause: Duration = .seconds(60)

  func run(into report: inout Report) async throws {
    try LoadGenerator.raiseFileLimit()
    let server = try BenchServer(programServing: database, auth: true)
    defer { server.stop() }
    let token = try await BenchToken.make([.usersRead, .usersWrite], database: database)
    let idle = try server.privateBytes
    try load(server, token)
    let loaded = try server.privateBytes
    // What is measured is how much an idle service keeps after this time.
    try await Task.sleep(for: Self.pause)
    let rested = try server.privateBytes
    report.line(
      "private memory after the load", ours: loaded / 1_048_576, raw: idle / 1_048_576, unit: "MiB",
      note: "raw: before it; limit 25")
    report.line(
      "private memory a minute later", ours: rested / 1_048_576, raw: idle / 1_048_576, unit: "MiB",
      note: String(format: "raw: before the load; %.1f more, limit 4", (rested - idle) / 1_048_576))
  }

  private func load(_ server: BenchServer, _ token: String) throws {
    let bodies = try SampleRequests.scattered(users: users)
    for connections in [8, 1_000] {
      let calls = LoadGenerator(
        "GetUser", token, of: server, connections: connections, streams: connections == 8 ? 32 : 1)
      try calls.run(requests) { bodies[$0 % bodies.count] }.checked()
    }
    let page = try SampleRequests.list.framed()
    let listing = LoadGenerator("ListUsers", token, of: server, connections: 8, streams: 1)
    try listing.run(8) { _ in page }.checked()
    let creates = try (0..<20_000).map { try SampleRequests.create(users + $0).framed() }
    try LoadGenerator("CreateUser", token, of: server).run(creates.count) { creates[$0] }.checked()
    let rows = (0..<50_000).map { SampleRequests.create(users + creates.count + $0) }
    try H2Load(server: server, folder: folder, token: token).run("BulkCreateUsers", rows, requests: 1)
  }
}
