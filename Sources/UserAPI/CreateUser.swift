import SwiftProtobuf
import UserDomain
public import UserProtos

/// CreateUser: validated at once, answered when the user is stored.
///
/// A class, so that a call does not copy the directory.
public final class CreateUser: UnaryRPC {
  private let directory: UserDirectory

  init(directory: UserDirectory) {
    self.directory = directory
  }

  public func decode(_ message: UnsafeRawBufferPointer) throws -> User_V1_CreateUserRequest {
    try User_V1_CreateUserRequest(request: Array(message))
  }

  public func answer<Response: UnaryResponse & ~Copyable>(
    _ request: User_V1_CreateUserRequest, for caller: Caller, to response: inout Response
  ) throws -> UnaryAnswer {
    let draft = try UserDraft(
      email: request.email, name: request.name, password: request.password, requestID: request.requestID,
      policy: directory.passwordPolicy)
    return .later { [directory] in
      // Without a password nothing is hashed or checked for the caller.
      let user =
        if draft.password == nil {
          try await directory.createUser(draft, for: .service)
        } else {
          try await directory.createUser(draft, from: caller.network, for: caller.hashRequester)
        }
      return user.serialized
    }
  }
}
