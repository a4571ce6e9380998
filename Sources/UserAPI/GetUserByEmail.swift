import SwiftProtobuf
import UserDomain
import UserProtos

/// GetUserByEmail: writes the store's row to the response, as ``GetUser`` does.
///
/// A class, so that a call does not copy the directory.
public final class GetUserByEmail: UnaryRPC {
  /// A read that may wait, and who may see what it finds.
  public struct Work: Sendable {
    fileprivate let request: Request
    fileprivate let principal: Principal
  }

  private let directory: UserDirectory
  private let immediate: ImmediateUserLookups?

  init(directory: UserDirectory) {
    self.directory = directory
    immediate = directory.immediateLookups
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
  ) throws -> UnaryAnswer<Work> {
    let principal = caller.principal
    guard let immediate else { return .later(Work(request: request, principal: principal)) }
    var isGiven = false
    _ = try immediate.readUser(email: request.email, showsDeleted: request.showsDeleted) { row, email, name in
      guard Self.isVisible(row.id, to: principal) else { return }
      response.take(count: UserMessageEncoding.count(row, email, name)) {
        UserMessageEncoding.write(row, email, name, to: $0.baseAddress!)
      }
      isGiven = true
    }
    if isGiven { return .given }
    throw Self.error(of: request, from: principal)
  }

  public func finish(_ work: Work) async throws -> [UInt8] {
    let (request, principal) = (work.request, work.principal)
    var message: [UInt8]?
    _ = try await directory.readUser(
      email: request.email, showsDeleted: request.showsDeleted
    ) { row, email, name in
      guard Self.isVisible(row.id, to: principal) else { return }
      message = UserMessageEncoding.message(row, email, name)
    }
    guard let message else { throw Self.error(of: request, from: principal) }
    return message
  }

  private static func isVisible(_ user: UserID, to principal: Principal) -> Bool {
    principal.scopes.contains(.usersRead) || user == principal.userID
  }

  /// The error of a request without a visible user: another user's address, and one that no user has, have the same.
  private static func error(of request: Request, from principal: Principal) -> UserError {
    principal.scopes.contains(.usersRead)
      ? .notFound(request.email) : .permissionDenied(missing: .usersRead)
  }
}
