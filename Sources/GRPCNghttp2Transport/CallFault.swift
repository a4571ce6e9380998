public import GRPCCore

/// The reason why the transport itself ends a call with a gRPC status.
///
/// ``HTTP2Configuration/faultDetails`` creates the accompanying metadata.
public struct CallFault: Error, Equatable, Sendable {
  /// The kinds of faults, which a client can distinguish by more than the code.
  public enum Reason: Sendable, CaseIterable {
    /// The call violates a rule or a limit of gRPC.
    case malformedCall
    /// The server has no such method.
    case unknownMethod
    /// The call's deadline has passed, or its request was not completed in time.
    case deadlineExceeded
    /// The grace time of a shutdown, or of the connection's maximum age, has passed.
    case shuttingDown
    /// The calls of the connection, or of the process, have reached the memory limit.
    case overloaded
    /// The handler has violated a rule of gRPC; the caller is not at fault.
    case handlerFailure
  }

  /// The kind of fault.
  public let reason: Reason
  /// The status of the call.
  public let code: RPCError.Code
  /// The description of the fault, for the caller.
  public let message: String

  init(_ reason: Reason, _ code: RPCError.Code, _ message: String) {
    self.reason = reason
    self.code = code
    self.message = message
  }

  static let deadlinePassed = CallFault(.deadlineExceeded, .deadlineExceeded, "the deadline has passed")
  static let requestOverdue = CallFault(
    .deadlineExceeded, .deadlineExceeded, "the request was not completed in time")
  static let unknownMethod = CallFault(.unknownMethod, .unimplemented, "unknown method")
  static let serverStops = CallFault(.shuttingDown, .unavailable, "the server is shutting down")
  static let connectionTooOld = CallFault(
    .shuttingDown, .unavailable, "the connection has exceeded its maximum age and grace time")

  static func malformed(_ code: RPCError.Code, _ message: String) -> CallFault {
    CallFault(.malformedCall, code, message)
  }
}

extension Status {
  init(_ fault: CallFault) {
    self.init(code: Status.Code(fault.code), message: fault.message)
  }
}
