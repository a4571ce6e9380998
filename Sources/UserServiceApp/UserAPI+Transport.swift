public import GRPCCore
public import GRPCNghttp2Transport
public import UserAPI

// UserAPI and the transport do not know each other.

extension MessageBytes: FramedMessageBytes {}

extension Nghttp2ServerTransport.CallFault {
  /// The google.rpc details of the status, as the contract promises them. A method that does not exist has no contract.
  var details: Metadata {
    let cause: ErrorReason
    switch reason {
    case .unknownMethod: return [:]
    case .malformedCall: cause = .malformedCall
    case .deadlineExceeded: cause = .deadlineExceeded
    case .shuttingDown: cause = .shuttingDown
    case .overloaded: cause = .overloaded
    case .handlerFailure: cause = .internal
    }
    return ErrorMapper.details(of: code, message, reason: cause)
  }
}

extension InlineStream.Responses: InlineResponses {}

extension InlineStream: InlineStreamingCall {
  public var cause: @Sendable () -> CancellationCause {
    let context = context
    return { context.cause }
  }
}

extension InlineCall: InlineUnaryCall {
  public mutating func take(count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
    if respond(count: count, write) { return }
    // The transport fails the call, as one whose handler makes a message that is too large.
    let message = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      write(UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
      initialized = count
    }
    respondLater { _ in .success(message) }
  }

  public mutating func answerLater(
    _ answer:
      @escaping @Sendable (_ cause: @escaping @Sendable () -> CancellationCause) async -> Result<
        [UInt8], RPCError
      >
  ) {
    respondLater { context in await answer { context.cause } }
  }
}

extension Nghttp2ServerTransport.Context {
  /// Why the call was cancelled, if it was.
  var cause: CancellationCause {
    if isCutOff { return .shutdown }
    return deadlineHasPassed ? .deadline : .client
  }
}

extension InlineMethod {
  /// `method`, as the transport wants it.
  init<RPC>(_ method: UnaryMethod<RPC>) {
    self.init(method.descriptor) { call in method.answer(&call) }
  }

  /// `method`, as the transport wants it.
  init(_ method: HealthWatch) {
    self.init(streaming: method.descriptor) { call in method.accept(call) }
  }

  /// `method`, as the transport wants it.
  init(_ method: StreamedMethod) {
    self.init(requests: method.descriptor) { call in
      switch method.accept(call) {
      case .taken(let call): .taken(Requests(call: call))
      case .refused(let error): .refused(error)
      case .declined: .declined
      }
    }
  }

  private struct Requests: InlineRequests {
    var call: InlineStreamedCall

    mutating func receive(_ message: MessageBytes) -> InlineStep? {
      call.receive(message.bytes).map { InlineStep($0) }
    }

    var hasWaitingWork: Bool { call.hasWaitingWork }

    mutating func work() async -> InlineStep { InlineStep(await call.work()) }

    mutating func requestEnded(_ failure: RPCError?) async -> InlineStep {
      InlineStep(await call.requestEnded(failure))
    }

    mutating func callEnded() { call.cancelled() }
  }
}

extension InlineStep {
  fileprivate init(_ step: InlineStreamedCall.Step) {
    switch step {
    case .next: self = .next
    case .send(let answers): self = .send(MessageBytes(messages: answers))
    case .end(let answers, let error):
      self = .end(answers.isEmpty ? nil : MessageBytes(messages: answers), error)
    }
  }
}
