public import GRPCCore
import GRPCProtobuf
public import UserDomain
public import UserProtos

/// `user.v1.UserService`: turns messages into use cases and back. Errors are mapped by ``ErrorInterceptor``.
public struct UserServiceHandler: User_V1_UserService.SimpleServiceProtocol {
  private let directory: UserDirectory
  private let pageTokens: PageTokenCodec
  private let bulkLimits: BulkLimits

  /// The service over the use cases of `directory`.
  public init(directory: UserDirectory, pageTokens: PageTokenCodec, bulkLimits: BulkLimits = BulkLimits()) {
    self.directory = directory
    self.pageTokens = pageTokens
    self.bulkLimits = bulkLimits
  }

  public func getUser(request: User_V1_GetUserRequest, context: ServerContext) async throws -> User_V1_User {
    User_V1_User(try directory.user(id: request.userID))
  }

  public func createUser(request: User_V1_CreateUserRequest, context: ServerContext) async throws
    -> User_V1_User
  {
    User_V1_User(
      try await directory.createUser(email: request.email, name: request.name, password: request.password))
  }

  public func listUsers(
    request: User_V1_ListUsersRequest, response: RPCWriter<User_V1_User>, context: ServerContext
  ) async throws {
    var listing = try listing(for: request)
    while let page = try listing.nextPage() {
      try Task.checkCancellation()
      try await response.write(contentsOf: messages(page))
    }
  }

  private func messages(_ page: [User]) -> [User_V1_User] {
    var messages = page.map { User_V1_User($0) }
    if let last = page.last { messages[messages.count - 1].pageToken = pageTokens.token(after: last.id) }
    return messages
  }

  private func listing(for request: User_V1_ListUsersRequest) throws(UserError) -> UserListing {
    var violations: [FieldViolation] = []
    if request.pageSize < 0 {
      violations.append(
        FieldViolation(field: "page_size", reason: .outOfRange, description: "must not be negative"))
    }
    let position = request.pageToken.isEmpty ? nil : pageTokens.id(from: request.pageToken)
    if position == nil, !request.pageToken.isEmpty {
      violations.append(
        FieldViolation(
          field: "page_token", reason: .malformed, description: "must be a page_token that this service gave")
      )
    }
    if !violations.isEmpty { throw .invalid(violations) }
    return try directory.listing(
      after: position, pageSize: request.pageSize == 0 ? 100 : Int(request.pageSize))
  }

  public func bulkCreateUsers(
    request: RPCAsyncSequence<User_V1_CreateUserRequest, any Error>, context: ServerContext
  ) async throws -> User_V1_BulkCreateResponse {
    try await bulkCreate(request.map { .success($0) })
  }

  private func bulkCreate(
    _ rows: some AsyncSequence<DecodedRow, any Error>
  ) async throws -> User_V1_BulkCreateResponse {
    var bulk = BulkCreate(directory: directory, limits: bulkLimits)
    for try await row in rows {
      try Task.checkCancellation()
      try await bulk.add(row)
    }
    return try await bulk.finish()
  }

  /// BulkCreateUsers as it is served: registered after the service, it takes the place of the generated
  /// registration, with which a row that cannot be decoded would end the call.
  public var bulkRegistration: any RegistrableRPCService { BulkRegistration(handler: self) }

  private struct BulkRegistration: RegistrableRPCService {
    let handler: UserServiceHandler

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
      router.registerHandler(
        forMethod: User_V1_UserService.Method.BulkCreateUsers.descriptor,
        deserializer: RowDeserializer(),
        serializer: ProtobufSerializer<User_V1_BulkCreateResponse>()
      ) { request, _ in
        StreamingServerResponse(
          single: ServerResponse(message: try await handler.bulkCreate(request.messages)))
      }
    }
  }

  public func userUpdates(
    request: RPCAsyncSequence<User_V1_UserUpdateRequest, any Error>, response: RPCWriter<User_V1_User>,
    context: ServerContext
  ) async throws {
    var index = 0
    do {
      for try await update in request {
        try Task.checkCancellation()
        try await response.write(User_V1_User(try await apply(update)))
        index += 1
      }
    } catch let error as UserError where error != .cancelled {
      throw GoogleRPCStatus(error, metadata: ["request_index": "\(index)"]) ?? error as any Error
    } catch let error as RPCError where error.isUndecodable {
      throw GoogleRPCStatus.undecodable(metadata: ["request_index": "\(index)"])
    }
  }

  private func apply(_ update: User_V1_UserUpdateRequest) async throws(UserError) -> User {
    try await directory.updateUser(
      id: update.userID,
      email: update.hasEmail ? update.email : nil,
      name: update.hasName ? update.name : nil,
      status: update.hasStatus ? update.status.rawValue : nil,
      password: update.hasPassword ? update.password : nil)
  }
}
