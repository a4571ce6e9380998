import Foundation
import SwiftProtobuf
import UserDomain
import UserProtos

/// Measures how the cost of each call grows with the number of users, connections and event loops. Uses one server with
/// authentication on, as ``ServiceBenchmark`` does.
struct ScaleBenchmark {
  /// The cost of an operation at one point of an axis.
  struct Point: Codable {
    let axis: Axis
    /// The number of users, connections or loops.
    let value: Int
    let operation: String
    /// The server's CPU time for one operation, in microseconds.
    let microseconds: Double
  }

  enum Axis: String, Codable, CaseIterable {
    case users, connections, loops
  }

  let folder: URL
  /// The folder of the table and the plot.
  let results: URL
  /// The maximum number of users.
  let users: Int
  let requests: Int

  /// The number of users on the other axes.
  private static let usualUsers = 100_000
  private static let rounds = 5
  /// The concurrent calls: over all connections, and the maximum on one.
  private static let inFlight = (all: 240, connection: 100)
  private static let created = 5_000
  private static let loaded = 20_000

  func run(into report: inout Report) async throws {
    try LoadGenerator.raiseFileLimit()
    var points: [Point] = []
    var size = 10_000
    while size <= users {
      points += try await growth(with: size, into: &report)
      size *= 10
    }
    let database = try await database(of: min(Self.usualUsers, users), "usual")
    for connections in [1, 10, 100, 1_000] {
      let cost = try await getUser(database, users: min(Self.usualUsers, users), connections: connections)
      points.append(note(.connections, connections, "GetUser", cost, into: &report))
    }
    for loops in [1, 2] {
      let cost = try await getUser(database, users: min(Self.usualUsers, users), loops: loops)
      points.append(note(.loops, loops, "GetUser", cost, into: &report))
    }
    try write(points)
    report.text("the table is in \(results.path)/scale.csv, its plot in scale.svg")
  }

  private func write(_ points: [Point]) throws {
    try FileManager.default.createDirectory(at: results, withIntermediateDirectories: true)
    let lines = points.map { point in
      "\(point.axis.rawValue),\(point.value),\(point.operation),\(String(format: "%.3f", point.microseconds))"
    }
    let table = (["axis,value,operation,microseconds"] + lines).joined(separator: "\n") + "\n"
    try Data(table.utf8).write(to: results.appendingPathComponent("scale.csv"))
    try Data(ScalePlot(points: points).svg.utf8).write(to: results.appendingPathComponent("scale.svg"))
  }

  private func note(
    _ axis: Axis, _ value: Int, _ operation: String, _ cost: Double, into report: inout Report
  ) -> Point {
    report.line("\(operation), \(value) \(axis.rawValue)", ours: cost, raw: nil, unit: "µs CPU")
    return Point(axis: axis, value: value, operation: operation, microseconds: cost)
  }

  // MARK: What is measured

  private func growth(with users: Int, into report: inout Report) async throws -> [Point] {
    let database = try await database(of: users, "users-\(users)")
    defer { remove(database) }
    try StartBenchmark(database: database, users: users).start(into: &report)
    var points = [note(.users, users, "GetUser", try await getUser(database, users: users), into: &report)]
    let token = try await BenchToken.make([.usersRead, .usersWrite], database: database)
    let server = try BenchServer(.own, auth: true, database: database)
    defer { server.stop() }

    let listing = LoadGenerator("ListUsers", token, of: server, connections: 1, streams: 1)
    let page = try SampleRequests.list.framed()
    // The listings take long enough for the clock of /proc, which ticks every 10 ms.
    let listings = max(1_000_000 / users, 1)
    let listed = try server.cpuSeconds { try listing.run(listings) { _ in page }.checked() }
    points.append(
      note(.users, users, "a user of ListUsers", listed * 1_000_000 / Double(listings * users), into: &report)
    )

    let bodies = try (0..<Self.created).map { try SampleRequests.create(users + $0).framed() }
    let creating = LoadGenerator("CreateUser", token, of: server)
    let created = try server.cpuSeconds { try creating.run(Self.created) { bodies[$0] }.checked() }
    points.append(
      note(.users, users, "CreateUser", created * 1_000_000 / Double(Self.created), into: &report))

    let rows = (0..<Self.loaded).map { SampleRequests.create(users + Self.created + $0) }
    let load = H2Load(server: server, folder: folder, token: token)
    let loaded = try server.cpuSeconds { try load.run("BulkCreateUsers", rows, requests: 1) }
    points.append(
      note(
        .users, users, "a user of BulkCreateUsers", loaded * 1_000_000 / Double(Self.loaded), into: &report))
    return points
  }

  /// Calls GetUser for users all over the database.
  private func getUser(
    _ database: String, users: Int, connections: Int = 8, loops: Int? = nil
  ) async throws -> Double {
    let token = try await BenchToken.make(.usersRead, database: database)
    let server = try BenchServer(.own, auth: true, database: database, loops: loops)
    defer { server.stop() }
    let bodies = try SampleRequests.scattered(users: users)
    let calls = LoadGenerator(
      "GetUser", token, of: server, connections: connections,
      streams: min(max(Self.inFlight.all / connections, 1), Self.inFlight.connection))
    var costs: [Double] = []
    // The first round only warms up.
    for round in 0...Self.rounds {
      let used = try server.cpuSeconds { try calls.run(requests) { bodies[$0 % bodies.count] }.checked() }
      if round > 0 { costs.append(used * 1_000_000 / Double(requests)) }
    }
    return costs.median
  }

  // MARK: Where it is measured

  private func database(of users: Int, _ name: String) async throws -> String {
    let path = folder.appendingPathComponent("\(name).db").path
    _ = try await RawDatabase.load(users, into: path)
    return path
  }

  private func remove(_ database: String) {
    // A file that cannot be removed now goes with the folder.
    for ending in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: database + ending) }
  }
}
