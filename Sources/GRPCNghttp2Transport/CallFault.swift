public import GRPCCore

/// Why the transport itself ends a call with a gRPC status.
///
/// ``HTTP2Configuration/faultDetails`` makes the metadata that goes with it.
public struct CallFault: Error, Equatable, Sendable {
  /// What a client can tell apart by more than the code.
  public enum Reason: Sendable, CaseIterable {
    /// The call breaks a rule or a limit of gRPC.
    case malformedCall
    /// The server has no such method.
    case unknownMethod
    /// The call's deadline has passed, or its request was not completed in time.
    case deadlineExceeded
    /// The grace time of a shutdown, or of the connection's age, is over.
    case shuttingDown
    /// The calls of the connection, or of the process, hold all the memory that they may.
    case overloaded
    /// The handler has broken a rule of gRPC; the caller is not to blame.
    case handlerFailure
  }

  /// The kind of fault.
  public let reason: Reason
  /// The status that the call ends with.
  public let code: RPCError.Code
  /// What is wrong, for the caller.
  public let message: String

  init(_ reason: Reason, _ code: RPCError.Code, _ message: String) {
    self.reason = reason
    self.code = code
    self.message = message
  }

  static let deadlinePassed = CallFault(.deadlineExceeded, .deadlineExceeded, "the deadline has passed")
  static let requestOverdue = CallFault(
    .deadlineExceeded, .deadlineExceeded, "the request was not completed in time")
  static let unknownMethod = CallFault(.unknownMethod, .unimplemented, "there is no such method")
  static let serverStops = CallFault(.shuttingDown, .unavailable, "the server is shutting down")
  static let connectionTooOld = CallFault(
    .shuttingDown, .unavailable, "the connection's age and its grace are over")

  static func malformed(_ code: RPCError.Code, _ message: String) -> CallFault {
    CallFault(.malformedCall, code, message)
  }
}

extension Status {
  init(_ fault: CallFault) {
    self.init(code: Status.Code(fault.code), message: fault.message)
  }
}
