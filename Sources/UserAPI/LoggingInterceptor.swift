public import GRPCCore
public import Logging

/// Writes one line for each call when it ends: method, status, duration, peer, principal
/// and request id.
///
/// The request id is the client's `x-request-id`, if it is 1 to 64 letters, digits, dots, hyphens or
/// underscores, or else a random one. Messages and other metadata are never logged.
public struct LoggingInterceptor: ServerInterceptor {
  private static let level = Logger.Level.info
  private let logger: Logger

  /// The interceptor, which goes outermost. Lines go to `logger` at level info; what fails
  /// unexpectedly is ``ErrorInterceptor``'s to log as an error.
  public init(logger: Logger) {
    self.logger = logger
  }

  /// Whether `logger` takes the lines; if not, the interceptor is of no use.
  public static func isEnabled(for logger: Logger) -> Bool { logger.logLevel <= level }

  /// Runs the handler, and then its stream of responses, and logs how the call ended.
  public func intercept<Input: Sendable, Output: Sendable>(
    request: StreamingServerRequest<Input>, context: ServerContext,
    next:
      @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
      StreamingServerResponse<Output>
  ) async throws -> StreamingServerResponse<Output> {
    let call = CallRecord(request.metadata, context, logger, level: Self.level)
    let response: StreamingServerResponse<Output>
    do {
      response = try await CallRecord.$current.withValue(call) { try await next(request, context) }
    } catch {
      call.ended(error)
      throw error
    }
    if case .failure(let error) = response.accepted { call.ended(error) }
    return response.wrappingProducer { writer, produce in
      do {
        let trailers = try await produce(writer)
        call.ended(nil)
        return trailers
      } catch {
        call.ended(error)
        throw error
      }
    }
  }
}
