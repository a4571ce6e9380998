public import GRPCCore

/// A call of a ``StreamedMethod`` on the inline road. Its methods are called one at a time.
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

  /// The next action of the transport.
  public enum Step: Sendable {
    /// Take the next message.
    case next
    /// Send the responses, of which there is at least one, then take the next message.
    case send([[UInt8]])
    /// Send the responses, and end the call with status OK or with the error.
    case end([[UInt8]], RPCError?)
  }

  /// Takes the next message. Returns nil if ``work()`` has to follow.
  public mutating func receive(_ message: [UInt8]) -> Step? {
    do {
      switch try call.receive(message) {
      case .next: return .next
      case .send(let response): return .send([response])
      case .work: return nil
      }
    } catch {
      return .end([], ended(error))
    }
  }

  /// Whether messages wait for ``work()``, which is called when no other message has arrived.
  public var hasWaitingWork: Bool { call.hasWaitingWork }

  /// Does the work on the messages taken so far.
  public mutating func work() async -> Step {
    do {
      let responses = try await call.work()
      return responses.isEmpty ? .next : .send(responses)
    } catch {
      return .end([], ended(error))
    }
  }

  /// Handles the end of the request; `failure` is nil for a complete request.
  public mutating func requestEnded(_ failure: RPCError?) async -> Step {
    if let failure { return .end([], ended(failure)) }
    do {
      let answer = try await call.requestEnded()
      hasEnded = true
      observed.ended(nil)
      return .end(answer, nil)
    } catch {
      return .end([], ended(error))
    }
  }

  /// Ends a cancelled call.
  public mutating func cancelled() {
    if !hasEnded { _ = ended(CancellationError()) }
  }

  private mutating func ended(_ error: any Error) -> RPCError {
    hasEnded = true
    return pipeline.fail(observed, error, cause: cause())
  }
}
