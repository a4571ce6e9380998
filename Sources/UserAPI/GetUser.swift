import SwiftProtobuf
public import UserDomain
import UserProtos

/// GetUser: writes the store's row to the response without a copy in between.
///
/// A class, so that a call does not copy the directory.
public final class GetUser: UnaryRPC {
  private let directory: UserDirectory
  private let immediate: ImmediateUserLookups?

  init(directory: UserDirectory) {
    self.directory = directory
    immediate = directory.immediateLookups
  }

  /// The user that a request names, and whether it is returned if it is deleted.
  public typealias Request = (user: UserReference, showsDeleted: Bool)

  public func decode(_ message: UnsafeRawBufferPointer) throws -> Request {
    if let id = Self.plainID(in: message) { return (UserReference(id), false) }
    let request = try User_V1_GetUserRequest(request: Array(message))
    return (UserReference(request.userID), request.showDeleted)
  }

  /// Returns the id if the message is nothing but an id in canonical form, as in nearly every request; else nil.
  private static func plainID(in message: UnsafeRawBufferPointer) -> UserID? {
    guard message.count == 2 + UserID.textLength, message[0] == 1 << 3 | 2, message[1] == UserID.textLength
    else {
      return nil
    }
    // Among an id's characters only capitals have the bit 0x40 without 0x20. The loop checks four at a time.
    var capitals: UInt32 = 0
    for offset in stride(from: 2, to: message.count, by: 4) {
      let four = message.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
      capitals |= four & ~(four << 1) & 0x4040_4040
    }
    return capitals == 0 ? UserID(utf8: UnsafeRawBufferPointer(rebasing: message[2...])) : nil
  }

  public func answer<Response: UnaryResponse & ~Copyable>(
    _ request: Request, for caller: Caller, to response: inout Response
  ) throws -> UnaryAnswer<Request> {
    try caller.principal.require(.usersRead, orBe: request.user.id)
    guard let immediate else { return .later(request) }
    try immediate.readUser(request.user, showsDeleted: request.showsDeleted) { row, email, name in
      response.take(count: UserMessageEncoding.count(row, email, name)) {
        UserMessageEncoding.write(row, email, name, to: $0.baseAddress!)
      }
    }
    return .given
  }

  public func finish(_ request: Request) async throws -> [UInt8] {
    var message: [UInt8] = []
    try await directory.readUser(request.user, showsDeleted: request.showsDeleted) { row, email, name in
      message = UserMessageEncoding.message(row, email, name)
    }
    return message
  }
}
