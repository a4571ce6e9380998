public import GRPCCore

/// A call of a ``StreamedMethod`` on the inline road. Its methods are called one after the other.
public struct InlineStreamedCall: Sendable {
  private var call: any StreamedCall
  private let pipeline: MethodPipeline
  private let observed: ObservedCall
  private let cause: @Sendable () -> CancellationCause
  private var hasEnded = false

  init(
    _ call: any StreamedCall, _ pipeline: MethodPipeline, _ observed: ObservedCall,
    cause: @escaping @Sendable () -> CancellationCause
  ) {
    self.call = call
    self.pipeline = pipeline
    self.observed = observed
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
      observed.ended(nil)
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
    return pipeline.fail(observed, error, cause: cause())
  }
}
