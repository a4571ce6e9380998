import Foundation
import SwiftProtobuf
import UserDomain
import UserProtos
import UserStoreSQLite

/// Loads the whole service over our transport, and a ``StockServer`` over grpc-swift's, with h2load
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

  /// A measured server.
  private struct Contender: Hashable {
    let transport: BenchServerCommand.Transport
    var auth = false
    var inline = false

    /// The service's own configuration.
    static let own = Contender(transport: .own, auth: true, inline: true)
    static let ownWithoutAuth = Contender(transport: .own, inline: true)
    /// The part that both transports share: the handlers behind GRPCCore.
    static let ownHandlers = Contender(transport: .own)
    static let stock = Contender(transport: .stock)
  }

  func run(into report: inout Report) async throws {
    let repository = try SQLiteUserRepository(.file(database))
    var listing = try await UserListing(repository: repository, after: nil, pageSize: 1_000)
    let page = try await listing.nextPage()
    try await repository.close()
    guard let id = page?.last?.id else { throw RawDatabase.Failure(description: "no users") }

    let get = [User_V1_GetUserRequest.with { $0.userID = "\(id)" }]
    let list = [User_V1_ListUsersRequest.with { $0.pageSize = 1_000 }]
    let token = try await BenchToken.make(.usersRead, database: database)
    var costs: [Contender: (get: [Double], list: [Double])] = [:]
    // Interleaved, so that the machine's other load affects all.
    for _ in 0..<Self.rounds {
      for contender in [Contender.own, .ownWithoutAuth, .ownHandlers, .stock] {
        let server = try BenchServer(
          contender.transport, auth: contender.auth, inline: contender.inline, database: database)
        defer { server.stop() }
        var load = H2Load(server: server, folder: folder, token: contender.auth ? token : nil)
        let listings = 10
        try load.run("ListUsers", list, requests: 1)
        let listed = try server.cpuSeconds { try load.run("ListUsers", list, requests: listings) }
        load.connections = Self.connections
        load.streams = Self.streams
        let count = contender.transport == .own ? requests : max(requests / 5, 1)
        try load.run("GetUser", get, requests: count / 10 + 1)
        let got = try server.cpuSeconds { try load.run("GetUser", get, requests: count) }
        costs[contender, default: ([], [])].get.append(got * 1_000_000 / Double(count))
        costs[contender, default: ([], [])].list.append(listed * 1_000_000 / Double(listings * users))
      }
    }
    guard let own = costs[.own], let stock = costs[.stock], let bare = costs[.ownWithoutAuth],
      let handlers = costs[.ownHandlers]
    else { return }
    report.line(
      "GetUser by its handler, \(Self.connections) × \(Self.streams) calls", ours: handlers.get.median,
      raw: stock.get.median, unit: "µs CPU/call",
      note: "raw: the stock transport, \(factor(handlers.get, stock.get)) times ours; at least 6")
    report.line(
      "GetUser inline", ours: bare.get.median, raw: stock.get.median, unit: "µs CPU/call",
      note: "raw: the stock transport, \(factor(bare.get, stock.get)) times ours")
    report.line(
      "GetUser inline, token and its header", ours: own.get.median, raw: bare.get.median,
      unit: "µs CPU/call",
      note: "raw: without; the token costs \(difference(own.get, bare.get)) µs, 300 bytes with each call")
    report.line(
      "ListUsers of \(users) users", ours: handlers.list.median, raw: stock.list.median, unit: "µs CPU/row",
      note: "raw: the stock transport, \(factor(handlers.list, stock.list)) times ours; at least 2")
  }

  private func difference(_ with: [Double], _ without: [Double]) -> String {
    String(format: "%.2f", with.median - without.median)
  }

  private func factor(_ own: [Double], _ stock: [Double]) -> String {
    String(format: "%.1f", stock.median / own.median)
  }
}
