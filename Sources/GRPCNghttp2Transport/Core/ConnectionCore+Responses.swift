import GRPCCore
import NIOCore

/// Output of handlers and methods.
extension ConnectionCore {
  /// Queues a part of the response.
  ///
  /// - Throws: `RPCError` for a part that cannot be sent, `CancellationError` if the call has ended.
  mutating func write(_ id: Int32, _ part: RPCResponsePart<MessageBytes>) throws {
    guard let slot = streams.find(id), !streams.slots[slot].hasEnded, !streams.slots[slot].response.hasStatus
    else {
      // Late headers are ignored; the next message reports the end of the call to the handler.
      if case .metadata = part { return }
      throw CancellationError()
    }
    switch part {
    case .metadata(let metadata):
      try takeMetadata(slot, metadata)
    case .message(let message):
      try takeMessage(slot, message)
    case .status(let status, let metadata):
      streams.slots[slot].setStatus(status, metadata, configuration)
      returnWindow(slot, streams.slots[slot].account.heldWindow)
      streams.slots[slot].times.receiveBy = .distantFuture
    }
    submit(slot)
  }

  private mutating func takeMetadata(_ slot: Int, _ metadata: Metadata) throws {
    if let problem = ReservedMetadata.problem(in: metadata) {
      throw RPCError(code: .internalError, message: problem)
    }
    if let name = metadata[stringValues: "grpc-encoding"].first(where: { _ in true }) {
      guard let chosen = MessageEncoding(rawValue: name) else {
        throw RPCError(code: .internalError, message: "unknown encoding '\(name)'")
      }
      let isAccepted = streams.slots[slot].head.acceptedEncodings.contains(chosen)
      streams.slots[slot].encoding = isAccepted ? chosen : .identity
    }
    streams.slots[slot].response.metadata(metadata)
  }

  private mutating func takeMessage(_ slot: Int, _ message: MessageBytes) throws {
    guard message.isFramed || message.count <= configuration.maxSendMessageSize else {
      throw error(.tooLarge(message.count, limit: configuration.maxSendMessageSize))
    }
    let framer = MessageFramer(
      encoding: streams.slots[slot].encoding, minSize: configuration.compressionMinSize, deflater: deflater)
    let before = streams.slots[slot].output.count
    framer.append(message, to: &streams.slots[slot].output)
    memory.unsent += streams.slots[slot].output.count - before
    expect(slot, 0)
    streams.slots[slot].response.message()
  }

  /// Sends a message of a method without back-pressure, unless the call has ended or the message is too large.
  mutating func send(_ id: Int32, _ message: [UInt8]) {
    guard message.count <= configuration.maxSendMessageSize else { return }
    // Fails only if the call has ended.
    try? write(id, .message(MessageBytes(message, isCompressed: false)))
  }

  /// Sends a message of a method, or ends the call if it is too large.
  private mutating func sendOrEnd(_ id: Int32, _ message: MessageBytes) {
    do {
      try write(id, .message(message))
    } catch {
      // The call has not ended, so the size is the only possible error.
      fail(id, .tooLarge(message.count, limit: configuration.maxSendMessageSize))
    }
  }

  /// What a step of a method that takes messages has done to its call.
  enum StepOutcome {
    /// The method may be given more.
    case goesOn
    /// The method has ended the call.
    case concluded
    /// The call has ended for another reason.
    case over
  }

  /// Does what a method that takes messages wants; `isLast` tells whether it was told of the request's end.
  mutating func take(_ step: InlineStep, isLast: Bool, _ id: Int32) -> StepOutcome {
    guard let slot = streams.find(id), !streams.slots[slot].hasEnded, !streams.slots[slot].response.hasStatus
    else { return .over }
    switch step {
    case .next where isLast:
      endResponse(slot, .notConcluded)
      return .over
    case .next:
      expect(slot, 0)
    case .send(let message):
      sendOrEnd(id, message)
    case .end(let message, let error):
      if let message { sendOrEnd(id, message) }
      conclude(id, error)
      return .concluded
    }
    return .goesOn
  }

  /// Ends a call with status OK, or with the status and metadata of `error`. Does nothing if the call has ended.
  mutating func conclude(_ id: Int32, _ error: RPCError?) {
    let status = error.map { Status($0) } ?? Status(code: .ok, message: "")
    // Fails only if the call has ended.
    try? write(id, .status(status, error?.metadata ?? [:]))
  }

  /// Ends the call with the status of `fault` on behalf of its handler.
  mutating func fail(_ id: Int32, _ fault: CallFault) {
    if let slot = streams.find(id) { endResponse(slot, fault) }
  }

  /// Ends the call with the status of `fault` on behalf of its handler.
  mutating func endResponse(_ slot: Int, _ fault: CallFault) {
    guard !streams.slots[slot].hasEnded, !streams.slots[slot].response.hasStatus else { return }
    streams.slots[slot].response.status(Status(fault), configuration.faultDetails(fault))
    submit(slot)
  }

  /// Sends an HTTP response to a request that is not a gRPC request.
  mutating func answerInHTTP(_ slot: Int) {
    guard case .http(let httpStatus, let message) = streams.slots[slot].stage, !streams.slots[slot].hasEnded,
      !streams.slots[slot].response.hasStatus
    else { return }
    streams.slots[slot].times.receiveBy = .distantFuture
    streams.slots[slot].response.refuse(httpStatus: httpStatus)
    if !streams.slots[slot].head.isHead {
      let text = Array(message.utf8)
      text.withUnsafeBytes { streams.slots[slot].output.append($0) }
      memory.unsent += text.count
    }
    submit(slot)
  }
}

extension CallFault {
  /// The fault of a call that its method did not end by the end of the request.
  static let notConcluded = CallFault(
    .handlerFailure, .internalError, "the method did not end its call")

  /// The fault of a call whose response message of `count` bytes is too large.
  static func tooLarge(_ count: Int, limit: Int) -> CallFault {
    .malformed(
      .resourceExhausted, "a response of \(count) bytes is larger than the limit of \(limit)")
  }
}

extension Status {
  init(_ error: RPCError) {
    self.init(code: Status.Code(error.code), message: error.message)
  }
}
