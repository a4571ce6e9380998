import SwiftProtobuf
import UserDomain
import UserProtos

/// GetUserByEmail: writes the store's row to the response, as ``GetUser`` does.
///
/// A class, so that a call does not copy the directory.
public final class GetUserByEmail: UnaryRPC {
  private let directory: UserDirectory

  init(directory: UserDirectory) {
    self.directory = directory
  }

  /// The address in a request, and whether its user is returned if it is deleted.
  public typealias Request = (email: String, showsDeleted: Bool)

  public func decode(_ message: UnsafeRawBufferPointer) throws -> Request {
    if let email = Self.plainEmail(in: message) { return (email, false) }
    let request = try User_V1_GetUserByEmailRequest(request: Array(message))
    return (request.email, request.showDeleted)
  }

  /// Returns the address if the message is nothing but a short address in ASCII, as in nearly every request; else nil.
  private static func plainEmail(in message: UnsafeRawBufferPointer) -> String? {
    guard message.count > 2, message.count < 2 + 128, message[0] == 1 << 3 | 2,
      Int(message[1]) == message.count - 2
    else { return nil }
    let text = UnsafeRawBufferPointer(rebasing: message[2...])
    var union: UInt8 = 0
    for byte in text { union |= byte }
    return union < 0x80 ? String(decoding: text, as: UTF8.self) : nil
  }

  public func answer<Response: UnaryResponse & ~Copyable>(
    _ request: Request, for caller: Caller, to response: inout Response
  ) throws -> UnaryAnswer<Never> {
    let principal = caller.principal
    let mayReadAll = principal.scopes.contains(.usersRead)
    var isGiven = false
    _ = try directory.readUser(email: request.email, showsDeleted: request.showsDeleted) { row, email, name in
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
