import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCProtobuf
import TestSupport
import Testing
import UserProtos

typealias CreateUser = User_V1_CreateUserRequest
typealias Users = User_V1_UserService.Client<HTTP2ClientTransport.Posix>

/// Runs `body` with grpc-swift's client, which shares no code with the service under test.
func withUsers<Value: Sendable>(
  _ service: RunningService, _ body: @Sendable @escaping (Users) async throws -> Value
) async throws -> Value {
  try await withConnection(service) { client in try await body(Users(wrapping: client)) }
}

/// Runs `body` with a service that must then exit without output.
///
/// - Parameter database: the database file; nil for a temporary one.
func withService(
  database: String? = nil, _ arguments: [String] = [],
  _ body: @Sendable @escaping (Users, RunningService) async throws -> Void
) async throws {
  let directory = try TemporaryDirectory()
  defer { withExtendedLifetime(directory) {} }
  let service = try await RunningService(
    ["--database", database ?? directory.path("users.db"), "--log-level", "error"] + arguments)
  try await withUsers(service) { users in try await body(users, service) }
  let (status, errors) = await service.stop()
  #expect(status == 0)
  #expect(errors.isEmpty)
}

/// Runs `body` with a separate connection to the service.
func withConnection<Value: Sendable>(
  _ service: RunningService,
  _ body: @Sendable @escaping (GRPCClient<HTTP2ClientTransport.Posix>) async throws -> Value
) async throws -> Value {
  try await withGRPCClient(
    transport: .http2NIOPosix(
      target: .ipv4(address: "127.0.0.1", port: service.port), transportSecurity: .plaintext)
  ) { client in try await body(client) }
}

extension CreateUser {
  init(_ email: String, name: String = "", password: String = "") {
    self.init()
    (self.email, self.name, self.password) = (email, name, password)
  }
}

extension Users {
  func get(_ id: String) async throws -> User_V1_User {
    var request = User_V1_GetUserRequest()
    request.userID = id
    return try await getUser(request)
  }

  /// Returns every user from `token` on.
  func list(pageSize: Int32 = 0, from token: String = "") async throws -> [User_V1_User] {
    var request = User_V1_ListUsersRequest()
    (request.pageSize, request.pageToken) = (pageSize, token)
    return try await listUsers(request) { response in
      var users: [User_V1_User] = []
      for try await user in response.messages { users.append(user) }
      return users
    }
  }

  func bulkCreate(_ rows: some Sequence<CreateUser> & Sendable) async throws -> User_V1_BulkCreateResponse {
    try await bulkCreateUsers { writer in
      for row in rows { try await writer.write(row) }
    }
  }

  /// Sends every update, and returns the resulting users and the error that ended the stream, if any.
  func update(_ updates: [User_V1_UserUpdateRequest]) async throws -> ([User_V1_User], RPCError?) {
    try await userUpdates { writer in
      for update in updates { try await writer.write(update) }
    } onResponse: { response in
      var users: [User_V1_User] = []
      do {
        for try await user in response.messages { users.append(user) }
        return (users, nil)
      } catch let error as RPCError {
        return (users, error)
      }
    }
  }
}

extension User_V1_UserUpdateRequest {
  init(_ id: String, _ change: (inout User_V1_UserUpdateRequest) -> Void = { _ in }) {
    self.init()
    userID = id
    change(&self)
  }
}

/// The end of a failed call: its status and google.rpc details.
struct Failure {
  let code: RPCError.Code
  let message: String
  let reason: String
  let metadata: [String: String]
  let fields: [String]

  init(_ error: RPCError) throws {
    let status = try error.unpackGoogleRPCStatus()
    let details = status?.details ?? []
    let info = details.lazy.compactMap(\.errorInfo).first
    (code, message) = (error.code, error.message)
    reason = info?.domain == "user.v1" ? info?.reason ?? "" : ""
    metadata = info?.metadata ?? [:]
    fields = details.lazy.compactMap(\.badRequest).first?.violations.map(\.field) ?? []
  }

  /// Records the failure of `body`.
  init(of body: () async throws -> some Sendable) async throws {
    do {
      _ = try await body()
    } catch let error as RPCError {
      try self.init(error)
      return
    }
    throw NoFailure()
  }

  struct NoFailure: Error {}
}
