public import GRPCCore
import GRPCProtobuf
public import Logging
import Primitives
import UserDomain

/// Maps any error of a call to a gRPC status with google.rpc details, and logs what clients must not see.
public struct ErrorMapper: Sendable {
  private let logger: Logger

  /// Creates a mapper that logs unexpected failures to `logger`.
  public init(logger: Logger) {
    self.logger = logger
  }

  /// Returns the status of a call of `method` that failed with `error`.
  ///
  /// - Parameter cause: why the call was cancelled, if it was.
  func status(
    for error: any Error, of method: MethodDescriptor, cause: @autoclosure () -> CancellationCause
  ) -> RPCError {
    switch error {
    case is CancellationError, UserError.cancelled:
      return status(of: UserError(cause()), method)
    case let error as GoogleRPCStatus:
      return RPCError(error)
    case let error as UserError:
      return status(of: error, method)
    case let error as RPCError where error.carriesDetails:
      // The transport made this status.
      return error
    case let error as RPCError where error.code != .unknown:
      // GRPCCore made this status: a unary call without a message, or a broken stream.
      return RPCError(GoogleRPCStatus.malformedCall(error))
    default:
      return RPCError(unexpected(error, method))
    }
  }

  private func status(of error: UserError, _ method: MethodDescriptor) -> RPCError {
    RPCError(GoogleRPCStatus(error) ?? unexpected(error, method))
  }

  /// The metadata of a status that the transport ends a call with, when no handler does: its google.rpc details.
  public static func details(of code: RPCError.Code, _ message: String, reason: ErrorReason) -> Metadata {
    GoogleRPCStatus.endedByTransport(code, message, reason: reason).rpcErrorMetadata
  }

  private func unexpected(_ error: any Error, _ method: MethodDescriptor) -> GoogleRPCStatus {
    let errorID = Hexadecimal.encode(SystemRandom.number())
    logger.error(
      "unexpected failure",
      metadata: [
        "error_id": "\(errorID)", "method": "\(method.fullyQualifiedMethod)", "error": "\(error)",
      ])
    return .unexpected(errorID: errorID)
  }
}

extension UserError {
  fileprivate init(_ cause: CancellationCause) {
    switch cause {
    case .client: self = .cancelled
    case .deadline: self = .deadlineExceeded
    case .shutdown: self = .shuttingDown
    }
  }
}
