public import GRPCCore
import UserDomain

/// Makes a status of whatever a handler throws, as an ``ErrorMapper`` says.
public struct ErrorInterceptor: ServerInterceptor {
  private let errors: ErrorMapper
  private let cause: @Sendable (ServerContext) -> CancellationCause

  /// The interceptor, which goes outside of everything that may throw.
  ///
  /// - Parameters:
  ///   - errors: maps errors to statuses.
  ///   - cause: why a call was cancelled that was. The transport knows.
  public init(
    _ errors: ErrorMapper, cause: @escaping @Sendable (ServerContext) -> CancellationCause
  ) {
    self.errors = errors
    self.cause = cause
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
    errors.status(for: error, of: context.descriptor, cause: cause(context))
  }
}
