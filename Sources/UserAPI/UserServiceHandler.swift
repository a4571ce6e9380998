public import GRPCCore
public import UserDomain
import UserProtos

/// `user.v1.UserService`: maps messages to use cases and back.
///
/// It registers its methods itself, without the generated protocol: users are encoded by ``UserMessageEncoding``, and
/// some methods have an inline road.
public struct UserServiceHandler: Sendable {
  private typealias Methods = User_V1_UserService.Method

  // Concrete types, so that the optimiser can specialise them for the transport's calls.

  /// GetUser, which has an inline road.
  public let getUser: UnaryMethod<GetUser>
  /// GetUserByEmail, which has an inline road.
  public let getUserByEmail: UnaryMethod<GetUserByEmail>
  /// CreateUser, which has an inline road.
  public let createUser: UnaryMethod<CreateUser>
  private let listUsers: ListUsers
  private let exportUsers: ExportUsers
  private let changes: UserChangeHandler
  private let directory: UserDirectory
  private let calls: CallPipeline
  /// The methods with many requests.
  public let streamedMethods: [StreamedMethod]

  /// Creates the service over the use cases of `directory`; its calls go through `calls`.
  public init(
    directory: UserDirectory, pageTokens: PageTokenCodec, bulkLimits: BulkLimits = BulkLimits(),
    calls: CallPipeline
  ) {
    getUser = UnaryMethod(
      GetUser(directory: directory), calls.pipeline(of: Methods.GetUser.descriptor, isInline: true))
    getUserByEmail = UnaryMethod(
      GetUserByEmail(directory: directory),
      calls.pipeline(of: Methods.GetUserByEmail.descriptor, isInline: true))
    changes = UserChangeHandler(directory: directory)
    self.directory = directory
    self.calls = calls
    createUser = UnaryMethod(
      CreateUser(directory: directory), calls.pipeline(of: Methods.CreateUser.descriptor, isInline: true))
    listUsers = ListUsers(
      directory: directory, pageTokens: pageTokens, pipeline: calls.pipeline(of: Methods.ListUsers.descriptor)
    )
    exportUsers = ExportUsers(
      directory: directory, tokens: pageTokens.exportTokens(),
      pipeline: calls.pipeline(of: Methods.ExportUsers.descriptor))
    let bulkMemory = BulkMemory()
    let importMemory = CallMemory(limit: 16 << 20, largestShare: 8 << 20)
    streamedMethods = [
      StreamedMethod(Methods.BulkCreateUsers.descriptor, calls) { authorization, _ in
        BulkCreate(directory: directory, limits: bulkLimits, authorization: authorization, memory: bulkMemory)
      },
      StreamedMethod(Methods.ImportUsers.descriptor, calls) { authorization, wake in
        ImportUsers(
          directory: directory, authorization: authorization, memory: importMemory, whenStored: wake)
      },
      StreamedMethod(Methods.UserUpdates.descriptor, calls) { authorization, _ in
        UserUpdates(directory: directory, authorization: authorization)
      },
    ]
  }

  /// Registers the handlers of its methods.
  public func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>)
  where Transport.Bytes: FramedMessageBytes {
    getUser.register(with: &router)
    getUserByEmail.register(with: &router)
    calls.register(Methods.BatchGetUsers.descriptor, with: &router, batchGetUsers)
    calls.register(Methods.UpdateUser.descriptor, with: &router, changes.update)
    calls.register(Methods.DeleteUser.descriptor, with: &router, changes.delete)
    calls.register(Methods.UndeleteUser.descriptor, with: &router, changes.undelete)
    createUser.register(with: &router)
    listUsers.register(with: &router)
    exportUsers.register(with: &router)
    for method in streamedMethods { method.register(with: &router) }
  }

  func batchGetUsers(
    _ request: User_V1_BatchGetUsersRequest, by authorization: CallAuthorization
  ) async throws -> [UInt8] {
    let users = try await directory.users(ids: request.userIds, showsDeleted: request.showDeleted)
    return users.reduce(into: []) { $0 += UserMessageEncoding.batchField(of: $1) }
  }
}
