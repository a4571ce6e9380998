import Foundation
import SwiftProtobuf
import TokenSigning
import UserDomain
import UserProtos
import UserStore

/// Loads the whole service over our transport and over grpc-swift's stock one, with h2load
/// (nghttp2.org/documentation), and compares what the server uses of the processor, both without
/// authentication. What a token costs that the server has seen before, with its header, is measured on ours.
struct TransportBenchmark {
  let folder: URL
  let database: String
  let users: Int
  let requests: Int

  private static let connections = 8
  private static let streams = 32
  private static let rounds = 3

  /// A server that is measured.
  private struct Contender: Hashable {
    let transport: BenchServerCommand.Transport
    let auth: Bool

    static let own = Contender(transport: .own, auth: true)
    static let ownWithoutAuth = Contender(transport: .own, auth: false)
    static let stock = Contender(transport: .stock, auth: false)
  }

  func run(into report: inout Report) async throws {
    let repository = try SQLiteUserRepository(.file(database))
    var listing = try UserListing(repository: repository, after: nil, pageSize: 1_000)
    let page = try listing.nextPage()
    try await repository.close()
    guard let id = page?.last?.id else { throw RawDatabase.Failure(description: "no users") }

    let get = try body("get", User_V1_GetUserRequest.with { $0.userID = "\(id)" })
    let list = try body("list", User_V1_ListUsersRequest.with { $0.pageSize = 1_000 })
    let token = try await token()
    var costs: [Contender: (get: [Double], list: [Double])] = [:]
    // Interleaved, so that what else the machine does falls on all.
    for _ in 0..<Self.rounds {
      for contender in [Contender.own, .ownWithoutAuth, .stock] {
        let server = try BenchServer(contender.transport, auth: contender.auth, database: database)
        defer { server.stop() }
        let target = Target(server: server, token: contender.auth ? token : nil)
        let count = contender.transport == .own ? requests : max(requests / 5, 1)
        _ = try load(target, "GetUser", get, requests: count / 10 + 1)
        let getCost = try load(target, "GetUser", get, requests: count) * 1_000_000 / Double(count)
        _ = try load(target, "ListUsers", list, requests: 1, connections: 1, streams: 1)
        let listings = 10
        let listCost =
          try load(target, "ListUsers", list, requests: listings, connections: 1, streams: 1) * 1_000_000
          / Double(listings * users)
        costs[contender, default: ([], [])].get.append(getCost)
        costs[contender, default: ([], [])].list.append(listCost)
      }
    }
    guard let own = costs[.own], let stock = costs[.stock], let bare = costs[.ownWithoutAuth] else { return }
    report.line(
      "GetUser, with a warm token", ours: median(own.get), raw: median(bare.get), unit: "µs CPU/call",
      note: "raw: with --auth off; the token costs \(difference(own.get, bare.get)) µs")
    report.line(
      "GetUser, \(Self.connections) × \(Self.streams) calls at once", ours: median(bare.get),
      raw: median(stock.get),
      unit: "µs CPU/call", note: "raw: the stock transport, \(factor(bare.get, stock.get)) times ours")
    report.line(
      "ListUsers of \(users) users", ours: median(bare.list), raw: median(stock.list), unit: "µs CPU/row",
      note: "raw: the stock transport, \(factor(bare.list, stock.list)) times ours")
  }

  private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  private func difference(_ with: [Double], _ without: [Double]) -> String {
    String(format: "%.2f", median(with) - median(without))
  }

  /// A token of a service that may read users, signed as `token issue` does.
  private func token() async throws -> String {
    let authority = try await TokenAuthority(.init(keys: KeyFile(path: database + ".keys")))
    return try authority.issue(
      AccessTokenClaims(
        principal: Principal(subject: "bench", scopes: .usersRead), issuedAt: .now,
        expiresAt: .now + .seconds(3_600)))
  }

  private struct Target {
    let server: BenchServer
    let token: String?
  }

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
    _ target: Target, _ method: String, _ body: String, requests: Int,
    connections: Int = Self.connections,
    streams: Int = Self.streams
  ) throws -> Double {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "h2load", "-n", "\(requests)", "-c", "\(min(connections, requests))", "-m", "\(streams)", "-d", body,
      "-H", "content-type: application/grpc", "-H", "te: trailers",
    ]
    if let token = target.token {
      process.arguments?.append(contentsOf: ["-H", "authorization: Bearer \(token)"])
    }
    process.arguments?.append("http://\(target.server.address)/user.v1.UserService/\(method)")
    process.standardOutput = output
    let before = try target.server.cpuSeconds
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let used = try target.server.cpuSeconds - before
    // A call that fails in gRPC succeeds in HTTP, but sends no message: a user takes more than 50 bytes.
    guard process.terminationStatus == 0, text.contains(" \(requests) succeeded, 0 failed"),
      let data = text.firstMatch(of: /\((\d+)\) data/).flatMap({ Int($0.1) }), data > 50 * requests
    else {
      throw RawDatabase.Failure(description: "h2load: \(text)")
    }
    return used
  }
}
