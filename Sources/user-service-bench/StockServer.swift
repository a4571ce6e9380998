import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCProtobuf
import SwiftProtobuf
import UserDomain
import UserProtos
import UserStoreSQLite

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

private struct StockUserService: RegistrableRPCService {
  typealias Methods = User_V1_UserService.Method

  let repository: SQLiteUserRepository

  // As the generated protocol does, for two of its methods.
  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: Methods.GetUser.descriptor, deserializer: ProtobufDeserializer<User_V1_GetUserRequest>(),
      serializer: ProtobufSerializer<User_V1_User>()
    ) { request, context in
      let request = try await ServerRequest(stream: request)
      return StreamingServerResponse(single: ServerResponse(message: try getUser(request.message)))
    }
    router.registerHandler(
      forMethod: Methods.ListUsers.descriptor, deserializer: ProtobufDeserializer<User_V1_ListUsersRequest>(),
      serializer: ProtobufSerializer<User_V1_User>()
    ) { request, context in
      let request = try await ServerRequest(stream: request)
      return StreamingServerResponse { writer in
        try await listUsers(request.message, writer)
        return [:]
      }
    }
  }

  private func getUser(_ request: User_V1_GetUserRequest) throws -> User_V1_User {
    guard let id = UserID(request.userID), let user = try repository.user(id: id) else {
      throw RPCError(code: .notFound, message: "")
    }
    return User_V1_User(user)
  }

  private func listUsers(_ request: User_V1_ListUsersRequest, _ writer: RPCWriter<User_V1_User>) async throws
  {
    var listing = try await UserListing(repository: repository, after: nil, pageSize: Int(request.pageSize))
    while let page = try await listing.nextPage() {
      try await writer.write(contentsOf: page.map { User_V1_User($0) })
    }
  }
}

extension User_V1_User {
  fileprivate init(_ user: User) {
    self.init()
    id = user.id.description
    email = user.email.address
    name = user.name.text
    status = user.status == .active ? .active : .inactive
    createdAt = Google_Protobuf_Timestamp(user.createdAt)
    updateTime = Google_Protobuf_Timestamp(user.updatedAt)
    etag = user.version.etag
  }
}

extension Google_Protobuf_Timestamp {
  fileprivate init(_ time: Timestamp) {
    let (seconds, rest) = time.microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
    self.init(seconds: seconds, nanos: Int32(rest) * 1_000)
  }
}
