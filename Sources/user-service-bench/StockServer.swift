import GRPCCore
import GRPCNIOTransportHTTP2
import SwiftProtobuf
import UserDomain
import UserProtos
import UserStore

/// The yardstick: a server of the two reading methods, made only of generated code over grpc-swift's stock transport.
enum StockServer {
  /// Returns a server of the users in `database`, on a port chosen by the kernel.
  static func make(database: String) throws -> GRPCServer<HTTP2ServerTransport.Posix> {
    let transport = HTTP2ServerTransport.Posix(
      address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext)
    return GRPCServer(
      transport: transport,
      services: [StockUserService(repository: try SQLiteUserRepository(.file(database)))])
  }
}

private struct StockUserService: User_V1_UserService.SimpleServiceProtocol {
  let repository: SQLiteUserRepository

  func getUser(request: User_V1_GetUserRequest, context: ServerContext) async throws -> User_V1_User {
    guard let id = UserID(request.userID), let user = try repository.user(id: id) else {
      throw RPCError(code: .notFound, message: "")
    }
    return User_V1_User(user)
  }

  func listUsers(
    request: User_V1_ListUsersRequest, response: RPCWriter<User_V1_User>, context: ServerContext
  ) async throws {
    var listing = try UserListing(repository: repository, after: nil, pageSize: Int(request.pageSize))
    while let page = try listing.nextPage() {
      try await response.write(contentsOf: page.map { User_V1_User($0) })
    }
  }

  func createUser(request: User_V1_CreateUserRequest, context: ServerContext) async throws -> User_V1_User {
    throw Self.unimplemented
  }

  func bulkCreateUsers(
    request: RPCAsyncSequence<User_V1_CreateUserRequest, any Error>, context: ServerContext
  ) async throws -> User_V1_BulkCreateResponse {
    throw Self.unimplemented
  }

  func userUpdates(
    request: RPCAsyncSequence<User_V1_UserUpdateRequest, any Error>, response: RPCWriter<User_V1_User>,
    context: ServerContext
  ) async throws {
    throw Self.unimplemented
  }

  private static let unimplemented = RPCError(code: .unimplemented, message: "only reads are compared")
}

extension User_V1_User {
  fileprivate init(_ user: User) {
    self.init()
    id = user.id.description
    email = user.email.address
    name = user.name.text
    status = user.status == .active ? .active : .inactive
    let (seconds, rest) = user.createdAt.microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
    createdAt = Google_Protobuf_Timestamp(seconds: seconds, nanos: Int32(rest) * 1_000)
  }
}
