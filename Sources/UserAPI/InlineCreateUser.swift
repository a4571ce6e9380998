public import GRPCCore
import GRPCProtobuf
import SwiftProtobuf
public import UserDomain
import UserProtos

/// CreateUser where its call arrives: of a user without a password, whose hash would take its time, and of a caller
/// who is known or nobody. All else it leaves to ``UserServiceHandler``.
public final class InlineCreateUser: Sendable {
  /// The method.
  public static var method: MethodDescriptor { User_V1_UserService.Method.CreateUser.descriptor }

  /// Bytes of a request with the longest address, name and request id, and some to spare.
  private static let longestMessage = 2_048

  private let directory: UserDirectory
  private let authorizer: Authorizer?
  private let observer: MethodObserver?
  private let errors: ErrorMapper
  /// What a call takes out of its peer's limit; nil if no call can be admitted here, as the table of who may call what
  /// stands.
  private let cost: CallCost?

  /// CreateUser over the use cases of `directory`.
  ///
  /// - Parameters:
  ///   - authorizer: says who may call; nil if everybody may do everything.
  ///   - observer: hears of the calls that are answered.
  ///   - errors: maps errors to statuses.
  public init(
    directory: UserDirectory, authorizer: Authorizer?, observer: CallObserver?, errors: ErrorMapper
  ) {
    self.directory = directory
    self.authorizer = authorizer
    self.observer = observer?[Self.method]
    self.errors = errors
    cost = authorizer.map { $0.costForEveryPeer(of: Self.method) } ?? .nothing
  }

  /// Responds to `call`, or does nothing.
  public func answer<Call: InlineUnaryCall & ~Copyable>(_ call: inout Call) {
    // What is wrong with a request is said in one place, the handler. One that is longer than users are is not worth
    // the loop's time before its caller is admitted.
    guard let cost, call.message.count <= Self.longestMessage,
      let request = try? User_V1_CreateUserRequest(serializedBytes: Array(call.message)),
      request.password.isEmpty,
      let draft = try? UserDraft(
        email: request.email, name: request.name, password: "", requestID: request.requestID)
    else { return }
    let observed = observer?.arrived(call.metadata, peer: call.remotePeer)
    // Last: it counts the call.
    guard isAdmitted(call, cost, observed?.record) else { return }
    observed?.started()
    call.respondLater { [directory, errors] cause in
      do throws(UserError) {
        // It has no password, so there is nothing to hash or to check for its caller.
        let user = try await directory.createUser(draft, for: .service)
        observed?.ended(nil)
        return .success(UserMessage(user: user).serialized)
      } catch {
        let status = errors.status(for: error, of: Self.method, cause: cause())
        observed?.ended(status)
        return .failure(RPCError(mapped: status))
      }
    }
  }

  private func isAdmitted<Call: InlineUnaryCall & ~Copyable>(
    _ call: borrowing Call, _ cost: CallCost, _ record: CallRecord?
  ) -> Bool {
    guard let authorizer else { return true }
    let peer = call.remotePeer
    return call.withOnlyValue(of: "authorization") { header in
      authorizer.admitsKnown(header, of: peer, cost, record: record)
    }
  }
}

extension RPCError {
  /// What goes on the wire of a status that ``ErrorMapper`` has made.
  init(mapped status: any Error) {
    switch status {
    case let error as RPCError: self = error
    case let error as any RPCErrorConvertible: self.init(error)
    default: self.init(code: .unknown, message: "")
    }
  }
}
