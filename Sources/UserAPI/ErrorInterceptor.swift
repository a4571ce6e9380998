public import GRPCCore
import GRPCProtobuf
public import Logging
import SwiftProtobuf
import UserDomain

/// Makes a gRPC status with google.rpc details of whatever a handler throws, and logs what clients must not see.
public struct ErrorInterceptor: ServerInterceptor {
  private let logger: Logger

  /// The interceptor, which goes outside of everything that may throw. Unexpected failures go to `logger`.
  public init(logger: Logger) {
    self.logger = logger
  }

  /// Runs the handler, and then its stream of responses, and maps what they throw.
  public func intercept<Input: Sendable, Output: Sendable>(
    request: StreamingServerRequest<Input>, context: ServerContext,
    next:
      @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
      StreamingServerResponse<Output>
  ) async throws -> StreamingServerResponse<Output> {
    let deadline = Deadline(request.metadata)
    let response: StreamingServerResponse<Output>
    do {
      response = try await next(request, context)
    } catch {
      throw status(for: error, deadline, context)
    }
    if case .failure(let error) = response.accepted { throw status(for: error, deadline, context) }
    return response.wrappingProducer { writer, produce in
      do {
        return try await produce(writer)
      } catch {
        throw status(for: error, deadline, context)
      }
    }
  }

  private func status(for error: any Error, _ deadline: Deadline, _ context: ServerContext) -> any Error {
    switch error {
    case is CancellationError, UserError.cancelled:
      return GoogleRPCStatus(deadline.hasPassed ? UserError.deadlineExceeded : .cancelled) ?? error
    case let error as GoogleRPCStatus:
      return error
    case let error as UserError:
      return GoogleRPCStatus(error) ?? unexpected(error, context)
    case let error as RPCError where error.cause is BinaryDecodingError || error.cause is SwiftProtobufError:
      return GoogleRPCStatus.undecodable
    case let error as RPCError where error.code == .unknown && error.cause != nil:
      // A unary handler's error, as gRPC has wrapped it.
      return error.cause.map { status(for: $0, deadline, context) } ?? error
    case let error as RPCError where error.code != .unknown:
      // gRPC's own: a unary call without a message, an unknown method, a broken stream.
      return error
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

/// When a call's client stops waiting, as its `grpc-timeout` said when the call arrived
/// (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
private struct Deadline {
  private let instant: ContinuousClock.Instant?

  init(_ metadata: Metadata) {
    instant = metadata[stringValues: "grpc-timeout"].first { _ in true }.flatMap(Self.parse).map { .now + $0 }
  }

  var hasPassed: Bool { instant.map { $0 <= .now } ?? false }

  private static func parse(_ text: String) -> Duration? {
    guard (2...9).contains(text.utf8.count), let unit = text.last,
      text.utf8.dropLast().allSatisfy({ (0x30...0x39).contains($0) }), let count = Int64(text.dropLast())
    else { return nil }
    switch unit {
    case "H": return .seconds(count * 3_600)
    case "M": return .seconds(count * 60)
    case "S": return .seconds(count)
    case "m": return .milliseconds(count)
    case "u": return .microseconds(count)
    case "n": return .nanoseconds(count)
    default: return nil
    }
  }
}
