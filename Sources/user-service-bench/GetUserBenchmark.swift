import Foundation
import UserDomain

/// Measures GetUser beside nghttp2's own server with a file of 100 bytes: in batches, one call a connection, and one call
/// at a time; with one event loop and with two, as nghttpd with as many threads. Authentication is on, with a cached
/// token; the log is at level warning; metrics are recorded.
struct GetUserBenchmark {
  let folder: URL
  let database: String
  let users: Int
  let requests: Int

  /// Many short rounds, because the machine's other load varies. One more goes before them, to warm up.
  private static let rounds = 11

  /// The servers, each with its calls.
  private struct Contender {
    let server: BenchServer
    let calls: LoadGenerator
    let body: [UInt8]
  }

  /// The shape of the load.
  private struct Load {
    let connections: Int
    let streams: Int
    /// The part of the requests that it makes.
    var share = 1

    static let batched = Load(connections: 8, streams: 32)
    static let scattered = Load(connections: 1_000, streams: 1)
    static let single = Load(connections: 1, streams: 1, share: 10)

    var description: String { "\(connections) × \(streams)" }
  }

  func run(into report: inout Report) async throws {
    try LoadGenerator.raiseFileLimit()
    let request = try await SampleRequests.get(database, users: users)
    let token = try await BenchToken.make(.usersRead, database: database)
    let own = try [1, 2].map { loops in
      let server = try BenchServer(.own, auth: true, database: database, loops: loops)
      return Contender(server: server, calls: LoadGenerator("GetUser", token, of: server), body: request)
    }
    let bareServer = try BenchServer(.own, auth: false, metrics: false, database: database, loops: 2)
    let bare = Contender(
      server: bareServer, calls: LoadGenerator("GetUser", token, of: bareServer), body: request)
    let nghttpd = try [1, 2].map { try startNghttpd(workers: $0) }
    let all = own + [bare] + nghttpd
    defer { for contender in all { contender.server.stop() } }

    for load in [Load.batched, .scattered] {
      let costs = try all.map { _ in [Double]() }.filled(rounds: Self.rounds) { index in
        try cost(all[index], load)
      }.map(\.median)
      for (index, loops) in ["one loop", "two loops"].enumerated() {
        let limit = index == 0 ? "" : load.connections == 8 ? "; limit 1.8" : "; limit 1.6"
        report.line(
          "GetUser, \(load.description), \(loops)", ours: costs[index], raw: costs[3 + index],
          unit: "µs CPU/call",
          note: "raw: nghttpd, a file of 100 bytes" + limit)
      }
      report.line(
        "GetUser, \(load.description), two loops beside one", ours: costs[1], raw: costs[0],
        unit: "µs CPU/call", note: load.connections == 8 ? "limit 1.15" : "")
      if load.connections == 8 {
        report.line(
          "GetUser beside one without auth and metrics", ours: costs[1], raw: costs[2], unit: "µs CPU/call",
          note: String(
            format: "authentication, log and metrics take %.2f µs of it; limit 1", costs[1] - costs[2]))
      }
    }
    for (processor, places) in [(0, "one core"), (1, "two cores")]
    where processor < ProcessInfo.processInfo.processorCount {
      let latencies = try all.map { _ in [Double]() }.filled(rounds: Self.rounds) { index in
        try Affinity.with(client: 0, server: all[index].server, on: processor) {
          try outcome(all[index], .single).median
        }
      }.map(\.median)
      report.line(
        "GetUser, 1 × 1, p50, client and server on \(places)", ours: latencies[0], raw: latencies[3],
        unit: "µs", note: "raw: nghttpd; limit 1.3")
    }
  }

  private func startNghttpd(workers: Int) throws -> Contender {
    let files = folder.appendingPathComponent("www")
    try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
    try Data(repeating: UInt8(ascii: "x"), count: 100).write(to: files.appendingPathComponent("file"))
    let server = try BenchServer(nghttpdIn: files, workers: workers)
    let calls = LoadGenerator(
      address: server.address,
      headers: [
        (":method", "GET"), (":scheme", "http"), (":path", "/file"), (":authority", server.address),
        ("user-agent", "user-service-bench"),
      ])
    return Contender(server: server, calls: calls, body: [])
  }

  @discardableResult
  private func outcome(_ contender: Contender, _ load: Load) throws -> LoadGenerator.Outcome {
    var calls = contender.calls
    (calls.connections, calls.streams) = (load.connections, load.streams)
    return try calls.run(requests / load.share) { _ in contender.body }.checked()
  }

  /// Returns the server's CPU time for a call, in microseconds.
  private func cost(_ contender: Contender, _ load: Load) throws -> Double {
    try contender.server.cpuSeconds { try outcome(contender, load) } * 1_000_000
      / Double(requests / load.share)
  }
}

extension [[Double]] {
  /// Appends `measure`'s result to each list, in turn and `rounds` times, so that the machine's other load affects all.
  /// The first round only warms up.
  fileprivate func filled(rounds: Int, _ measure: (Int) throws -> Double) rethrows -> [[Double]] {
    var lists = self
    for round in 0...rounds {
      for index in lists.indices {
        let value = try measure(index)
        if round > 0 { lists[index].append(value) }
      }
    }
    return lists
  }
}
