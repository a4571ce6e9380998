import GRPCCore
import GRPCNghttp2Transport
import GRPCProtobuf
import SwiftProtobuf
import Synchronization
import UserProtos

/// The two methods for imports and exports as the contract describes them, over users in memory: it fails where a real
/// service would only by chance.
final class ImportContract: RegistrableRPCService {
  /// How a call of ImportUsers ends.
  enum End: Sendable {
    /// After its last row, with OK.
    case complete
    /// When this many rows were answered, with an error; so many further rows are stored without an answer.
    case failed(RPCError.Code, afterRows: Int, unansweredRows: Int = 0)
    /// When this many rows were answered, with OK.
    case early(afterRows: Int)
    /// Never, after this many rows.
    case silent(afterRows: Int)
    /// After its last row, with a pause after each of so many rows.
    case paced(rows: Int, pause: Duration)
    /// With a result for the row after the next, when this many rows were answered.
    case disordered(afterRows: Int)
  }

  private struct State {
    var ends: [End]
    var stored: [String] = []
    var ids: [String: String] = [:]
    var emails: [String: String] = [:]
    var lastCallRows = 0
    var calls = 0
    var exportTokens: [String] = []
  }

  private let state: Mutex<State>
  /// The pages of an export, and the number of messages after which each call of it fails; nil does not fail.
  private let pages: [[User_V1_ImportUserRequest]]
  private let exportCuts: Mutex<[Int?]>

  init(_ ends: [End] = [], pages: [[User_V1_ImportUserRequest]] = [], exportCuts: [Int?] = []) {
    state = Mutex(State(ends: ends))
    self.pages = pages
    self.exportCuts = Mutex(exportCuts)
  }

  /// The addresses of the stored users, in order.
  var stored: [String] { state.withLock { $0.stored } }
  /// How many rows the last call has received.
  var lastCallRows: Int { state.withLock { $0.lastCallRows } }
  var calls: Int { state.withLock { $0.calls } }
  /// The page tokens of the calls of ExportUsers.
  var exportTokens: [String] { state.withLock { $0.exportTokens } }

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: User_V1_UserService.Method.ImportUsers.descriptor,
      deserializer: ProtobufDeserializer<User_V1_ImportUserRequest>(),
      serializer: ProtobufSerializer<User_V1_ImportUserResult>()
    ) { request, _ in
      StreamingServerResponse { writer in
        try await self.importUsers(request.messages, writer)
        return [:]
      }
    }
    router.registerHandler(
      forMethod: User_V1_UserService.Method.ExportUsers.descriptor,
      deserializer: ProtobufDeserializer<User_V1_ExportUsersRequest>(),
      serializer: ProtobufSerializer<User_V1_ImportUserRequest>()
    ) { request, _ in
      let message = try await ServerRequest(stream: request).message
      return StreamingServerResponse { writer in
        try await self.exportUsers(message, writer)
        return [:]
      }
    }
  }

  private func importUsers(
    _ rows: RPCAsyncSequence<User_V1_ImportUserRequest, any Error>,
    _ writer: RPCWriter<User_V1_ImportUserResult>
  ) async throws {
    let end = state.withLock { state in
      state.calls += 1
      state.lastCallRows = 0
      return state.ends.isEmpty ? End.complete : state.ends.removeFirst()
    }
    var index: Int64 = 0
    for try await row in rows {
      switch end {
      case .early(let count) where index == count: return
      case .paced(let count, let pause) where index > 0 && index.isMultiple(of: Int64(count)):
        try await Task.sleep(for: pause)
      case .silent(let count) where index >= count:
        try await Task.sleep(for: .seconds(600))
      case .failed(let code, let count, let unanswered) where index >= count:
        if index == Int64(count + unanswered) { throw RPCError(code: code, message: "planned") }
        _ = store(row)
        index += 1
        continue
      default: break
      }
      state.withLock { $0.lastCallRows += 1 }
      var result = store(row)
      result.index = index
      if case .disordered(let count) = end, index == count { result.index += 1 }
      try await writer.write(result)
      index += 1
    }
  }

  private func store(_ row: User_V1_ImportUserRequest) -> User_V1_ImportUserResult {
    state.withLock { state in
      .with { result in
        if row.email.hasPrefix("bad") {
          result.status = Self.status(reason: "EMAIL_ALREADY_REGISTERED")
        } else if let email = state.emails[row.id], email != row.email {
          result.status = Self.status(reason: "USER_ID_TAKEN")
        } else if row.validateOnly {
          result.alreadyStored = state.ids[row.email] != nil
        } else if let id = state.ids[row.email] {
          (result.userID, result.alreadyStored) = (id, true)
        } else {
          result.userID = row.id.isEmpty ? "id-\(state.stored.count)" : row.id
          state.ids[row.email] = result.userID
          state.emails[result.userID] = row.email
          state.stored.append(row.email)
        }
      }
    }
  }

  private static func status(reason: String) -> Google_Rpc_Status {
    let status = GoogleRPCStatus(
      code: .alreadyExists, message: "planned",
      details: [.errorInfo(reason: reason, domain: "user.v1", metadata: [:])])
    // What was just serialized can be read.
    return (try? Google_Rpc_Status(serializedBytes: status.serializedBytes() as [UInt8]))
      ?? Google_Rpc_Status()
  }

  private func exportUsers(
    _ request: User_V1_ExportUsersRequest, _ writer: RPCWriter<User_V1_ImportUserRequest>
  ) async throws {
    state.withLock { $0.exportTokens.append(request.pageToken) }
    let cut = exportCuts.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    var count = 0
    for (index, page) in pages.enumerated() where index >= Int(request.pageToken) ?? 0 {
      for (place, user) in page.enumerated() {
        if count == cut { throw RPCError(code: .unavailable, message: "planned") }
        var user = user
        if place == page.count - 1 { user.pageToken = String(index + 1) }
        if !request.passwordHashes { user.passwordHash = "" }
        try await writer.write(user)
        count += 1
      }
    }
  }
}

/// Runs `body` with the port of a server that has `service`.
func withServer(_ service: ImportContract, _ body: (Int) async throws -> Void) async throws {
  // grpc-swift's own transport traps if it is stopped while it accepts a connection.
  let transport = Nghttp2ServerTransport(listeners: [Listener(.tcp(host: "127.0.0.1", port: 0))])
  let server = GRPCServer(transport: transport, services: [service])
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await server.serve() }
    guard case .tcp(_, let port)? = try await transport.addresses.first else {
      throw RPCError(code: .internalError, message: "no port")
    }
    try await body(port)
    // Calls that never end are cancelled.
    group.cancelAll()
  }
}
