public import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
public import UserDomain
import UserProtos

/// `user.v1.UserService`: turns messages into use cases and back. Errors are mapped by ``ErrorInterceptor``.
///
/// It registers its methods itself and not through the generated protocol: users go out by
/// ``UserMessageSerializer``, and methods with many requests are ``StreamedCall``s.
public struct UserServiceHandler: Sendable {
  private typealias Methods = User_V1_UserService.Method

  private let directory: UserDirectory
  private let pageTokens: PageTokenCodec
  private let bulkLimits: BulkLimits
  private let bulkMemory = BulkMemory()
  private let defaultCaller: Principal

  /// The service over the use cases of `directory`.
  ///
  /// - Parameter defaultCaller: who calls where no ``AuthorizationInterceptor`` says who does.
  public init(
    directory: UserDirectory, pageTokens: PageTokenCodec, bulkLimits: BulkLimits = BulkLimits(),
    defaultCaller: Principal = .anonymous
  ) {
    self.defaultCaller = defaultCaller
    self.directory = directory
    self.pageTokens = pageTokens
    self.bulkLimits = bulkLimits
  }

  /// The running call's caller.
  private func caller(_ context: ServerContext) -> CallAuthorization {
    .current ?? defaultCaller(at: context.remotePeer)
  }

  private func defaultCaller(at peer: String) -> CallAuthorization {
    CallAuthorization(principal: defaultCaller, peer: peer)
  }

  /// Registers the five methods.
  public func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>)
  where Transport.Bytes: FramedMessageBytes {
    router.registerHandler(
      forMethod: Methods.GetUser.descriptor, deserializer: ProtobufDeserializer<User_V1_GetUserRequest>(),
      serializer: UserMessageSerializer()
    ) { request, context in
      let caller = self.caller(context)
      let request = try await ServerRequest(stream: request)
      return StreamingServerResponse(single: ServerResponse(message: try getUser(request.message, caller)))
    }
    router.registerHandler(
      forMethod: Methods.CreateUser.descriptor,
      deserializer: ProtobufDeserializer<User_V1_CreateUserRequest>(),
      serializer: UserMessageSerializer()
    ) { request, context in
      let caller = self.caller(context)
      let request = try await ServerRequest(stream: request)
      return StreamingServerResponse(
        single: ServerResponse(message: try await createUser(request.message, caller)))
    }
    registerListUsers(with: &router)
    for method in streamedMethods { method.register(with: &router) }
  }

  /// The methods with many requests.
  public var streamedMethods: [StreamedMethod] {
    [
      StreamedMethod(descriptor: Methods.BulkCreateUsers.descriptor) { caller, peer in
        BulkCreate(
          directory: directory, limits: bulkLimits, caller: caller ?? defaultCaller(at: peer),
          memory: bulkMemory)
      },
      StreamedMethod(descriptor: Methods.UserUpdates.descriptor) { caller, peer in
        UserUpdates(directory: directory, caller: caller ?? defaultCaller(at: peer))
      },
    ]
  }

  private func registerListUsers<Transport: ServerTransport>(with router: inout RPCRouter<Transport>)
  where Transport.Bytes: FramedMessageBytes {
    router.registerHandler(
      forMethod: Methods.ListUsers.descriptor, deserializer: ProtobufDeserializer<User_V1_ListUsersRequest>(),
      serializer: UserPageSerializer<Transport.Bytes>()
    ) { request, context in
      let caller = self.caller(context)
      let request = try await ServerRequest(stream: request)
      return StreamingServerResponse { writer in
        try await writePages(request.message, caller, to: writer)
        return [:]
      }
    }
  }

  private func getUser(_ request: User_V1_GetUserRequest, _ caller: CallAuthorization) throws -> UserMessage {
    let reference = UserReference(request.userID)
    try caller.principal.require(.usersRead, orBe: reference.id)
    return UserMessage(user: try directory.user(reference))
  }

  private func createUser(
    _ request: User_V1_CreateUserRequest, _ caller: CallAuthorization
  ) async throws -> UserMessage {
    UserMessage(
      user: try await directory.createUser(
        email: request.email, name: request.name, password: request.password, requestID: request.requestID,
        from: caller.network, for: caller.hashRequester))
  }

  /// A page at a time.
  private func writePages(
    _ request: User_V1_ListUsersRequest, _ caller: CallAuthorization, to writer: RPCWriter<UserPage>
  ) async throws {
    var listing = try listing(for: request)
    while true {
      try Task.checkCancellation()
      try caller.checkStillGood()
      var page = UserPage(rows: listing.pageSize)
      guard try listing.readNextPage({ page.append($0, $1, $2) }), let last = listing.position else { return }
      page.end(pageToken: pageTokens.token(after: last))
      try await writer.write(page)
    }
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
}
