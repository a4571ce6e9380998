public import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
public import UserDomain
import UserProtos

/// `user.v1.UserService`: turns messages into use cases and back. Errors are mapped by ``ErrorInterceptor``.
///
/// It registers its methods itself and not through the generated protocol: users go out by
/// ``UserMessageSerializer``, and a row of a bulk load that cannot be decoded does not end its call.
public struct UserServiceHandler: RegistrableRPCService {
  private typealias Methods = User_V1_UserService.Method

  private let directory: UserDirectory
  private let pageTokens: PageTokenCodec
  private let bulkLimits: BulkLimits
  private let batchMemory = BatchMemory()
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
    .current ?? CallAuthorization(principal: defaultCaller, peer: context.remotePeer)
  }

  /// Registers the five methods.
  public func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
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
    router.registerHandler(
      forMethod: Methods.BulkCreateUsers.descriptor, deserializer: RowDeserializer(),
      serializer: ProtobufSerializer<User_V1_BulkCreateResponse>()
    ) { request, context in
      let caller = self.caller(context)
      return StreamingServerResponse(
        single: ServerResponse(message: try await bulkCreateUsers(request.messages, caller)))
    }
    router.registerHandler(
      forMethod: Methods.UserUpdates.descriptor,
      deserializer: ProtobufDeserializer<User_V1_UserUpdateRequest>(),
      serializer: UserMessageSerializer()
    ) { request, context in
      let caller = self.caller(context)
      return StreamingServerResponse { writer in
        try await userUpdates(request.messages, writer, caller)
        return [:]
      }
    }
  }

  private func registerListUsers<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    let deserializer = ProtobufDeserializer<User_V1_ListUsersRequest>()
    if Transport.Bytes.self is any FramedMessageBytes.Type {
      router.registerHandler(
        forMethod: Methods.ListUsers.descriptor, deserializer: deserializer, serializer: UserPageSerializer()
      ) { request, context in
        let caller = self.caller(context)
        let request = try await ServerRequest(stream: request)
        return StreamingServerResponse { writer in
          try await writePages(request.message, caller, to: writer)
          return [:]
        }
      }
    } else {
      router.registerHandler(
        forMethod: Methods.ListUsers.descriptor, deserializer: deserializer,
        serializer: UserMessageSerializer()
      ) { request, context in
        let caller = self.caller(context)
        let request = try await ServerRequest(stream: request)
        return StreamingServerResponse { writer in
          try await writeUsers(request.message, caller, to: writer)
          return [:]
        }
      }
    }
  }

  private func getUser(_ request: User_V1_GetUserRequest, _ caller: CallAuthorization) throws -> UserMessage {
    try caller.principal.require(.usersRead, orBe: request.userID)
    return UserMessage(user: try directory.user(id: request.userID))
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
      guard try listing.readNextPage({ page.append($0) }), let last = listing.position else { return }
      page.end(pageToken: pageTokens.token(after: last))
      try await writer.write(page)
    }
  }

  /// A user at a time.
  private func writeUsers(
    _ request: User_V1_ListUsersRequest, _ caller: CallAuthorization, to writer: RPCWriter<UserMessage>
  ) async throws {
    var listing = try listing(for: request)
    while let page = try listing.nextPage() {
      try Task.checkCancellation()
      try caller.checkStillGood()
      var messages = page.map { UserMessage(user: $0) }
      messages[messages.count - 1].pageToken = pageTokens.token(after: page[page.count - 1].id)
      try await writer.write(contentsOf: messages)
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

  private func bulkCreateUsers(
    _ rows: RPCAsyncSequence<DecodedRow, any Error>, _ caller: CallAuthorization
  ) async throws -> User_V1_BulkCreateResponse {
    var bulk = BulkCreate(directory: directory, limits: bulkLimits, caller: caller, memory: batchMemory)
    do {
      for try await row in rows {
        try Task.checkCancellation()
        try await bulk.add(row)
      }
      return try await bulk.finish()
    } catch let error as UserError where error != .cancelled {
      // So that the caller can tell what is stored.
      throw GoogleRPCStatus(error, metadata: ["created_count": "\(bulk.createdCount)"]) ?? error as any Error
    }
  }

  private func userUpdates(
    _ updates: RPCAsyncSequence<User_V1_UserUpdateRequest, any Error>, _ writer: RPCWriter<UserMessage>,
    _ caller: CallAuthorization
  ) async throws {
    var index = 0
    do {
      for try await update in updates {
        try Task.checkCancellation()
        try caller.checkStillGood()
        try caller.principal.require(.usersWrite, orBe: update.userID)
        // Before anything is looked up: the outcome may tell which addresses are registered.
        if update.hasEmail || update.hasPassword { try caller.admitOwnUpdate() }
        try await writer.write(UserMessage(user: try await apply(update, by: caller)))
        index += 1
      }
    } catch let error as UserError where error != .cancelled {
      throw GoogleRPCStatus(error, metadata: ["request_index": "\(index)"]) ?? error as any Error
    } catch let error as RPCError where error.isUndecodable {
      throw GoogleRPCStatus.undecodable(metadata: ["request_index": "\(index)"])
    }
  }

  private func apply(
    _ update: User_V1_UserUpdateRequest, by caller: CallAuthorization
  ) async throws(UserError) -> User {
    // A token that may change one user alone, its own, may have leaked from that user's device.
    let proof = PasswordProof(
      currentPassword: update.hasCurrentPassword ? update.currentPassword : nil,
      isRequired: !caller.principal.scopes.contains(.usersWrite), network: caller.network)
    return try await directory.updateUser(
      id: update.userID,
      email: update.hasEmail ? update.email : nil,
      name: update.hasName ? update.name : nil,
      status: update.hasStatus ? update.status.rawValue : nil,
      password: update.hasPassword ? update.password : nil, by: caller.authority,
      proof: proof, for: caller.hashRequester)
  }
}
