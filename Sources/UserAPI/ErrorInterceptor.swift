public import GRPCCore
import GRPCProtobuf
public import Logging
import UserDomain

/// Makes a gRPC status with google.rpc details of whatever a handler throws, and logs what clients must not
/// see.
public struct ErrorInterceptor: ServerInterceptor {
  private let logger: Logger
  private let deadlineHasPassed: @Sendable (ServerContext) -> Bool

  /// The interceptor, which goes outside of everything that may throw.
  ///
  /// - Parameters:
  ///   - logger: gets unexpected failures.
  ///   - deadlineHasPassed: whether a call that was cancelled was so because its deadline has passed. The
  ///     transport knows.
  public init(logger: Logger, deadlineHasPassed: @escaping @Sendable (ServerContext) -> Bool) {
    self.logger = logger
    self.deadlineHasPassed = deadlineHasPassed
  }

  /// Runs the handler, and then its stream of responses, and maps what they throw.
  public func intercept<Input: Sendable, Output: Sendable>(
    request: StreamingServerRequest<Input>, context: ServerContext,
    next:
      @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
      StreamingServerResponse<Output>
  ) async throws -> StreamingServerResponse<Output> {
    let response: StreamingServerResponse<Output>
    do {
      response = try await next(request, context)
    } catch {
      throw status(for: error, context)
    }
    if case .failure(let error) = response.accepted { throw status(for: error, context) }
    // A single message has been made by now; only a stream of them can still fail for reasons of its own.
    if context.descriptor.type?.isResponseStreaming == false { return response }
    return response.wrappingProducer { writer, produce in
      do {
        return try await produce(writer)
      } catch {
        throw status(for: error, context)
      }
    }
  }

  private func status(for error: any Error, _ context: ServerContext) -> any Error {
    switch error {
    case is CancellationError, UserError.cancelled:
      return GoogleRPCStatus(deadlineHasPassed(context) ? UserError.deadlineExceeded : .cancelled) ?? error
    case let error as GoogleRPCStatus:
      return error
    case let error as UserError:
      return GoogleRPCStatus(error) ?? unexpected(error, context)
    case let error as RPCError where error.isUndecodable:
      return GoogleRPCStatus.undecodable()
    case let error as RPCError where error.code == .unknown && error.cause != nil:
      // A unary handler's error, as gRPC has wrapped it.
      return error.cause.map { status(for: $0, context) } ?? error
    case let error as RPCError where error.carriesDetails:
      // A unary handler's GoogleRPCStatus, as gRPC has wrapped it.
      return error
    case let error as RPCError where error.code != .unknown:
      // gRPC's own: a unary call without a message, a broken stream.
      return GoogleRPCStatus.malformedCall(error)
    default:
      return unexpected(error, context)
    }
  }

  private func unexpected(_ error: any Error, _ context: ServerContext) -> GoogleRPCStatus {
    let errorID = RandomID.make()
    logger.error(
      "unexpected failure",
      metadata: [
        "error_id": "\(errorID)", "method": "\(context.descriptor.fullyQualifiedMethod)", "error": "\(error)",
      ])
    return .unexpected(errorID: errorID)
  }
}
