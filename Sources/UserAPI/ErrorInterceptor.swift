public import GRPCCore
import UserDomain

/// Makes a status of whatever a handler throws, as an ``ErrorMapper`` says.
public struct ErrorInterceptor: ServerInterceptor {
  private let errors: ErrorMapper
  private let deadlineHasPassed: @Sendable (ServerContext) -> Bool
  private let isCutOff: @Sendable (ServerContext) -> Bool

  /// The interceptor, which goes outside of everything that may throw.
  ///
  /// - Parameters:
  ///   - errors: maps errors to statuses.
  ///   - deadlineHasPassed: whether a call that was cancelled was so because its deadline has passed. The
  ///     transport knows.
  ///   - isCutOff: whether it was so because the grace time of a shutdown is over.
  public init(
    _ errors: ErrorMapper, deadlineHasPassed: @escaping @Sendable (ServerContext) -> Bool,
    isCutOff: @escaping @Sendable (ServerContext) -> Bool = { _ in false }
  ) {
    self.errors = errors
    self.deadlineHasPassed = deadlineHasPassed
    self.isCutOff = isCutOff
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
    var error = error
    if error is CancellationError, isCutOff(context) { error = UserError.shuttingDown }
    return errors.status(for: error, of: context.descriptor, deadlineHasPassed: deadlineHasPassed(context))
  }
}
