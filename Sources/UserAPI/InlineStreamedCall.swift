public import GRPCCore
import UserDomain

/// A method with many requests: its descriptor, and what a call does.
public struct StreamedMethod: Sendable {
  let descriptor: MethodDescriptor
  let makeCall: @Sendable (_ caller: CallAuthorization?, _ peer: String) -> any StreamedCall

  /// The method where its calls arrive.
  ///
  /// - Parameters:
  ///   - authorizer: says who may call; nil if everybody may do everything.
  ///   - observer: hears of the calls.
  ///   - errors: maps errors to statuses.
  public func inline(
    authorizer: Authorizer?, observer: CallObserver?, errors: ErrorMapper
  ) -> InlineStreamedMethod {
    InlineStreamedMethod(
      method: self, authorizer: authorizer, observer: observer?[descriptor], errors: errors)
  }
}

/// A method with many requests where its calls arrive, which have no task while the client is waited for.
public struct InlineStreamedMethod: Sendable {
  fileprivate let method: StreamedMethod
  fileprivate let authorizer: Authorizer?
  fileprivate let observer: MethodObserver?
  fileprivate let errors: ErrorMapper

  /// The method.
  public var descriptor: MethodDescriptor { method.descriptor }

  /// What becomes of a call.
  public enum Acceptance {
    /// Its messages are taken.
    case taken(InlineStreamedCall)
    /// It ends with the error.
    case refused(RPCError)
    /// Nothing was done: its handler is to be asked.
    case declined
  }

  /// Decides what becomes of `call`.
  public func accept<Call: InlineStreamingCall & ~Copyable>(_ call: borrowing Call) -> Acceptance {
    let observed = observer?.arrived(call.metadata, peer: call.remotePeer)
    let caller: CallAuthorization?
    do throws(UserError) {
      caller = try authorizer?.authorize(
        call.metadata, method: descriptor, peer: call.remotePeer, record: observed?.record,
        keysAreFresh: false)
    } catch {
      // The key may be newer than the last look at the key files, for which the handler waits.
      if error == .unauthenticated(.unknownKey) { return .declined }
      observed?.started()
      let status = errors.status(for: error, of: descriptor, cause: .client)
      observed?.ended(status)
      return .refused(RPCError(mapped: status))
    }
    observed?.started()
    return .taken(
      InlineStreamedCall(
        call: method.makeCall(caller, call.remotePeer), descriptor: descriptor, observed: observed,
        errors: errors, cause: call.cause))
  }
}

/// A call of an ``InlineStreamedMethod``. Its methods are called one after the other.
public struct InlineStreamedCall: Sendable {
  fileprivate var call: any StreamedCall
  fileprivate let descriptor: MethodDescriptor
  fileprivate let observed: ObservedCall?
  fileprivate let errors: ErrorMapper
  fileprivate let cause: @Sendable () -> CancellationCause
  private var hasEnded = false

  fileprivate init(
    call: any StreamedCall, descriptor: MethodDescriptor, observed: ObservedCall?, errors: ErrorMapper,
    cause: @escaping @Sendable () -> CancellationCause
  ) {
    self.call = call
    self.descriptor = descriptor
    self.observed = observed
    self.errors = errors
    self.cause = cause
  }

  /// What happens next.
  public enum Step: Sendable {
    /// The answer is sent, if there is one, and the next message taken.
    case goOn([UInt8]?)
    /// The call ends: with status OK behind the answer, if there is one, or with the error.
    case end([UInt8]?, RPCError?)
  }

  /// Takes the next message.
  public mutating func receive(_ message: [UInt8]) async -> Step {
    do {
      return .goOn(try await call.receive(message))
    } catch {
      return .end(nil, ended(error))
    }
  }

  /// The request has ended; in good order, if there is no `failure`.
  public mutating func requestEnded(_ failure: RPCError?) async -> Step {
    if let failure { return .end(nil, ended(failure)) }
    do {
      let answer = try await call.requestEnded()
      hasEnded = true
      observed?.ended(nil)
      return .end(answer, nil)
    } catch {
      return .end(nil, ended(error))
    }
  }

  /// The call is over.
  public mutating func cancelled() {
    if !hasEnded { _ = ended(CancellationError()) }
  }

  private mutating func ended(_ error: any Error) -> RPCError {
    hasEnded = true
    let status = errors.status(for: error, of: descriptor, cause: cause())
    observed?.ended(status)
    return RPCError(mapped: status)
  }
}
