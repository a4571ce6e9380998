public import GRPCCore
public import UserDomain
import UserProtos

/// GetUser where its call arrives, without a task: of a caller who is known and a user who is there. All else
/// it leaves to ``UserServiceHandler``, which says what is wrong.
public final class InlineGetUser: Sendable {
  /// The method.
  public static var method: MethodDescriptor { User_V1_UserService.Method.GetUser.descriptor }

  private let repository: any UserRepository
  private let authorizer: Authorizer?
  private let access: MethodAccess?
  private let observer: MethodObserver?

  /// GetUser of the users in `repository`.
  ///
  /// - Parameters:
  ///   - authorizer: says who may call; nil if everybody may do everything.
  ///   - observer: hears of the calls that are answered.
  public init(repository: any UserRepository, authorizer: Authorizer?, observer: CallObserver?) {
    self.repository = repository
    self.authorizer = authorizer
    access = authorizer?.access(to: Self.method)
    self.observer = observer?[Self.method]
  }

  /// Responds to `call`, or does nothing.
  public func answer<Call: InlineUnaryCall & ~Copyable>(_ call: inout Call) {
    guard let id = Self.userID(in: call.message) else { return }
    let observed = observer?.arrived(call.metadata, peer: call.remotePeer)
    guard isPermitted(call, id, observed?.record) else { return }
    // What fails here fails again where it can be said.
    var hasResponded = false
    _ = try? repository.readUser(id: id) { row, email, name in
      let encoding = UserMessageEncoding(row, email, name)
      hasResponded = call.respond(count: encoding.count) { encoding.write(email, name, to: $0) }
    }
    guard hasResponded else { return }
    observed?.started()
    observed?.ended(nil)
  }

  private func isPermitted<Call: InlineUnaryCall & ~Copyable>(
    _ call: borrowing Call, _ id: UserID, _ record: CallRecord?
  ) -> Bool {
    guard let authorizer else { return true }
    return call.withOnlyValue(of: "authorization") { header in
      guard let header, let access else { return false }
      guard let principal = authorizer.authorizeKnown(header, for: access, record: record) else {
        return false
      }
      do { try principal.require(.usersRead, orBe: id) } catch { return false }
      return true
    }
  }

  /// The id in a `GetUserRequest` with nothing else in it.
  private static func userID(in request: UnsafeRawBufferPointer) -> UserID? {
    guard request.count == 2 + UserID.textLength, request[0] == 1 << 3 | 2, request[1] == UserID.textLength
    else {
      return nil
    }
    return UserID(utf8: UnsafeRawBufferPointer(rebasing: request[2...]))
  }
}
