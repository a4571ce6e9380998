import SwiftProtobuf
import UserDomain
import UserProtos

/// GetUser: one user, written from the store's row to the response without a copy in between.
struct GetUser: UnaryRPC {
  let directory: UserDirectory

  func decode(_ message: UnsafeRawBufferPointer) throws -> UserReference {
    if let id = Self.plainID(in: message) { return UserReference(id) }
    return UserReference(try User_V1_GetUserRequest(request: Array(message)).userID)
  }

  /// The id in a message with nothing else in it, as the service writes ids: what nearly every request is.
  private static func plainID(in message: UnsafeRawBufferPointer) -> UserID? {
    guard message.count == 2 + UserID.textLength, message[0] == 1 << 3 | 2, message[1] == UserID.textLength
    else {
      return nil
    }
    let text = UnsafeRawBufferPointer(rebasing: message[2...])
    let capitals = UInt8(ascii: "A")...UInt8(ascii: "F")
    return text.contains { capitals.contains($0) } ? nil : UserID(utf8: text)
  }

  func answer<Response: UnaryResponse & ~Copyable>(
    _ user: UserReference, for caller: Caller, to response: inout Response
  ) throws -> UnaryAnswer {
    try caller.principal.require(.usersRead, orBe: user.id)
    try directory.readUser(user) { row, email, name in
      let encoding = UserMessageEncoding(row, email, name)
      response.take(count: encoding.count) { encoding.write(email, name, to: $0) }
    }
    return .given
  }
}
