public import GRPCCore
import GRPCProtobuf
public import Logging
import Primitives
import UserDomain

/// Makes a gRPC status with google.rpc details of whatever a call fails with, and logs what clients must not see.
public struct ErrorMapper: Sendable {
  private let logger: Logger

  /// A mapper that tells `logger` of unexpected failures.
  public init(logger: Logger) {
    self.logger = logger
  }

  /// The status that a call of `method` ends with because of `error`: a `GoogleRPCStatus`, or the `RPCError`
  /// that GRPCCore has made of one.
  ///
  /// - Parameter cause: why the call was cancelled, if it was.
  func status(
    for error: any Error, of method: MethodDescriptor, cause: @autoclosure () -> CancellationCause
  ) -> any Error {
    switch error {
    case is CancellationError, UserError.cancelled:
      return GoogleRPCStatus(UserError(cause())) ?? error
    case let error as GoogleRPCStatus:
      return error
    case let error as UserError:
      return GoogleRPCStatus(error) ?? unexpected(error, method)
    case let error as RPCError where error.isUndecodable:
      return GoogleRPCStatus.undecodable()
    case let error as RPCError where error.code == .unknown && error.cause != nil:
      // A unary handler's error, as gRPC has wrapped it.
      return error.cause.map { status(for: $0, of: method, cause: cause()) } ?? error
    case let error as RPCError where error.carriesDetails:
      // A unary handler's GoogleRPCStatus, as gRPC has wrapped it.
      return error
    case let error as RPCError where error.code != .unknown:
      // gRPC's own: a unary call without a message, a broken stream.
      return GoogleRPCStatus.malformedCall(error)
    default:
      return unexpected(error, method)
    }
  }

  /// The metadata of a status that the transport ends a call with, where no handler does: its google.rpc details.
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
