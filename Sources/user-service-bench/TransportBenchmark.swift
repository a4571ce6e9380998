import Foundation
import SwiftProtobuf
import UserDomain
import UserProtos
import UserStore

/// Loads the whole service over our transport and over grpc-swift's stock one, with h2load
/// (nghttp2.org/documentation), and compares what the server uses of the processor.
struct TransportBenchmark {
  let folder: URL
  let database: String
  let users: Int
  let requests: Int

  private static let connections = 8
  private static let streams = 32
  private static let rounds = 3

  func run(into report: inout Report) async throws {
    let repository = try SQLiteUserRepository(.file(database))
    var listing = try UserListing(repository: repository, after: nil, pageSize: 1_000)
    let page = try listing.nextPage()
    try await repository.close()
    guard let id = page?.last?.id else { throw RawDatabase.Failure(description: "no users") }

    let get = try body("get", User_V1_GetUserRequest.with { $0.userID = "\(id)" })
    let list = try body("list", User_V1_ListUsersRequest.with { $0.pageSize = 1_000 })
    var costs: [BenchServerCommand.Transport: (get: [Double], list: [Double])] = [:]
    // Interleaved, so that what else the machine does falls on both.
    for _ in 0..<Self.rounds {
      for transport in BenchServerCommand.Transport.allCases {
        let server = try BenchServer(transport, database: database)
        defer { server.stop() }
        let count = transport == .own ? requests : max(requests / 5, 1)
        _ = try load(server, "GetUser", get, requests: count / 10 + 1)
        let getCost = try load(server, "GetUser", get, requests: count) * 1_000_000 / Double(count)
        _ = try load(server, "ListUsers", list, requests: 1, connections: 1, streams: 1)
        let listings = 10
        let listCost =
          try load(server, "ListUsers", list, requests: listings, connections: 1, streams: 1) * 1_000_000
          / Double(listings * users)
        costs[transport, default: ([], [])].get.append(getCost)
        costs[transport, default: ([], [])].list.append(listCost)
      }
    }
    guard let own = costs[.own], let stock = costs[.stock] else { return }
    report.line(
      "GetUser, \(Self.connections) × \(Self.streams) calls at once", ours: median(own.get),
      raw: median(stock.get),
      unit: "µs CPU/call", note: "raw: the stock transport, \(factor(own.get, stock.get)) times ours")
    report.line(
      "ListUsers of \(users) users", ours: median(own.list), raw: median(stock.list), unit: "µs CPU/row",
      note: "raw: the stock transport, \(factor(own.list, stock.list)) times ours")
  }

  private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  private func factor(_ own: [Double], _ stock: [Double]) -> String {
    String(format: "%.1f", median(stock) / median(own))
  }

  /// A file with one length-prefixed message.
  private func body(_ name: String, _ message: some SwiftProtobuf.Message) throws -> String {
    let bytes: [UInt8] = try message.serializedBytes()
    let prefix: [UInt8] = [0] + withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) }
    let file = folder.appendingPathComponent("\(name).body")
    try Data(prefix + bytes).write(to: file)
    return file.path
  }

  /// Sends `requests` calls and returns the CPU seconds that the server took for them.
  private func load(
    _ server: BenchServer, _ method: String, _ body: String, requests: Int,
    connections: Int = Self.connections,
    streams: Int = Self.streams
  ) throws -> Double {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "h2load", "-n", "\(requests)", "-c", "\(min(connections, requests))", "-m", "\(streams)", "-d", body,
      "-H", "content-type: application/grpc", "-H", "te: trailers",
      "http://\(server.address)/user.v1.UserService/\(method)",
    ]
    process.standardOutput = output
    let before = try server.cpuSeconds
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let used = try server.cpuSeconds - before
    guard process.terminationStatus == 0, text.contains(" \(requests) succeeded, 0 failed") else {
      throw RawDatabase.Failure(description: "h2load: \(text)")
    }
    return used
  }
}
