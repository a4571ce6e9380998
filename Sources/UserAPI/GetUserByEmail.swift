import SwiftProtobuf
import UserDomain
public import UserProtos

/// GetUserByEmail: writes the store's row to the response, as ``GetUser`` does.
///
/// A class, so that a call does not copy the directory.
public final class GetUserByEmail: UnaryRPC {
  private let directory: UserDirectory

  init(directory: UserDirectory) {
    self.directory = directory
  }

  public func decode(_ message: UnsafeRawBufferPointer) throws -> User_V1_GetUserByEmailRequest {
    try User_V1_GetUserByEmailRequest(request: Array(message))
  }

  public func answer<Response: UnaryResponse & ~Copyable>(
    _ request: User_V1_GetUserByEmailRequest, for caller: Caller, to response: inout Response
  ) throws -> UnaryAnswer<Never> {
    let principal = caller.principal
    let mayReadAll = principal.scopes.contains(.usersRead)
    var isGiven = false
    _ = try directory.readUser(email: request.email, showsDeleted: request.showDeleted) { row, email, name in
      guard mayReadAll || row.id == principal.userID else { return }
      response.take(count: UserMessageEncoding.count(row, email, name)) {
        UserMessageEncoding.write(row, email, name, to: $0.baseAddress!)
      }
      isGiven = true
    }
    if isGiven { return .given }
    // Another user's address, and one that no user has, have the same answer.
    throw mayReadAll ? UserError.notFound(request.email) : .permissionDenied(missing: .usersRead)
  }
}
