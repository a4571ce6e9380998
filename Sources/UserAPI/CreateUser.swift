import SwiftProtobuf
import UserDomain
public import UserProtos

/// CreateUser: validates at once, and responds when the user is stored.
///
/// A class, so that a call does not copy the directory.
public final class CreateUser: UnaryRPC {
  /// A user to be stored.
  public struct Work: Sendable {
    fileprivate let draft: UserDraft
    fileprivate let caller: Caller
    fileprivate let isOnlyChecked: Bool
  }

  private let directory: UserDirectory

  init(directory: UserDirectory) {
    self.directory = directory
  }

  public func decode(_ message: UnsafeRawBufferPointer) throws -> User_V1_CreateUserRequest {
    try User_V1_CreateUserRequest(request: Array(message))
  }

  public func answer<Response: UnaryResponse & ~Copyable>(
    _ request: User_V1_CreateUserRequest, for caller: Caller, to response: inout Response
  ) throws -> UnaryAnswer<Work> {
    // Labels are what services say of a user.
    if !request.labels.isEmpty { try caller.principal.require(.usersWrite) }
    let draft = try UserDraft(
      email: request.email, name: request.name, password: request.password, requestID: request.requestID,
      labels: request.labels, policy: directory.passwordPolicy)
    return .later(Work(draft: draft, caller: caller, isOnlyChecked: request.validateOnly))
  }

  public func finish(_ work: Work) async throws -> [UInt8] {
    if work.isOnlyChecked {
      try await directory.check(work.draft)
      return try User_V1_User(of: work.draft).serializedBytes()
    }
    // Without a password nothing is hashed or checked for the caller.
    let caller = work.draft.password == nil ? nil : work.caller
    return try await directory.createUser(
      work.draft, from: caller?.network, for: caller?.hashRequester ?? .service
    ).serialized
  }
}

extension User_V1_User {
  /// The user that a draft describes: without what the service assigns when it stores one.
  fileprivate init(of draft: UserDraft) {
    self.init()
    (email, name, status) = (draft.email.address, draft.name.text, .active)
    labels = draft.labels.byKey
  }
}
