import GRPCCore
import NIOCore

/// The start, the reading and the end of calls.
extension ConnectionCore {
  /// Starts a call whose header block is complete, or answers it at once.
  mutating func begin(_ slot: Int) -> ConnectionAction? {
    switch streams.slots[slot].stage {
    case .accepted:
      if streams.slots[slot].head.acceptedEncodings.contains(configuration.compression) {
        streams.slots[slot].encoding = configuration.compression
      }
      streams.slots[slot].stage = .pending
      return launch(slot)
    case .rejected(let fault, let httpStatus):
      streams.slots[slot].response.setHTTPStatus(httpStatus)
      streams.slots[slot].stage = .done
      endResponse(slot, fault)
    case .http:
      // An answer before the end of the request would reset the stream, and the client would lose the answer.
      if streams.slots[slot].request.hasEnded {
        answerInHTTP(slot)
      } else {
        streams.slots[slot].times.receiveBy = now + receiveTimeout
        noteWakeup(slot)
      }
    default: break
    }
    return nil
  }

  /// Answers the call, starts its handler, or waits. A request of one message is awaited whole, so that an incomplete
  /// one holds no task. A stream of responses waits for room.
  private mutating func launch(_ slot: Int) -> ConnectionAction? {
    guard !streams.slots[slot].response.hasStatus, let method = streams.slots[slot].method else { return nil }
    if !method.takesManyMessages, streams.slots[slot].request.isOpen {
      noteDeadline(slot)
      awaitRequest(slot)
      updateReceiveTime(slot)
      // The received bytes may exceed the memory limit.
      if streams.slots[slot].request.isOpen { return nil }
    }
    guard canAnswer(slot, method) else { return launchHandler(slot) }
    return .answer(streams.slots[slot].id)
  }

  /// Whether the inline method of `method` is asked to answer the call.
  private mutating func canAnswer(_ slot: Int, _ method: Method) -> Bool {
    let isComplete = if case .ended = streams.slots[slot].request { !method.takesManyMessages } else { false }
    switch method.inline {
    case .unary:
      return isComplete && streams.slots[slot].encoding == .identity
        && streams.slots[slot].deframer.nextIsPlain
    case .stream:
      if isComplete { noteDeadline(slot) }
      return isComplete
    case .requests:
      // Without room the call goes to its handler, which is refused for the same reason.
      guard method.takesManyMessages, memory.hasRoom(for: StreamAccount.waiting) else { return false }
      noteDeadline(slot)
      return true
    case nil:
      return false
    }
  }

  /// Starts the handler of a call that no inline method answers.
  mutating func launchHandler(_ slot: Int) -> ConnectionAction? {
    guard let method = streams.slots[slot].method else { return nil }
    if method.isServerStreaming, streams.slots[slot].request.failure == nil, memory.isSendingFull {
      noteDeadline(slot)
      // The client has sent its request, so its receive time-out stops.
      updateReceiveTime(slot)
      waitForRoom(slot)
      return nil
    }
    // A stream of responses starts with room for its buffer, if there is any.
    if method.isServerStreaming { expect(slot, configuration.writeBufferSize) }
    guard memory.hasRoom(for: costOfTask(slot)) else {
      expect(slot, 0)
      streams.slots[slot].stage = .done
      endResponse(slot, .connectionIsFull)
      return nil
    }
    startHandler(slot)
    updateReceiveTime(slot)
    return .startHandler(streams.slots[slot].id)
  }

  private func costOfTask(_ slot: Int) -> Int {
    streams.slots[slot].costOfTask(maxHeaderListSize: configuration.maxHeaderListSize)
  }

  /// Records that a task answers the call.
  mutating func startHandler(_ slot: Int) {
    noteDeadline(slot)
    streams.slots[slot].stage = .handler
    tasks += 1
    settle(slot)
  }

  /// Passes received data to a waiting handler, and returns the window of an awaited message.
  mutating func deliver(_ slot: Int) -> ConnectionAction? {
    switch streams.slots[slot].stage {
    case .http:
      if streams.slots[slot].request.hasEnded { answerInHTTP(slot) }
      return nil
    case .pending: return launch(slot)
    case .taken: return takeRequests(slot)
    case .arriving, .accepted, .rejected, .handler, .stream, .done: break
    }
    resumeReader(slot)
    if streams.slots[slot].readerWaits, !streams.slots[slot].notes.contains(.room) {
      awaitRequest(slot)
      // The received bytes may exceed the memory limit.
      resumeReader(slot)
    }
    updateReceiveTime(slot)
    return nil
  }

  // MARK: Reading by handlers

  /// Returns the method of a call.
  mutating func method(_ id: Int32) -> Method? { streams.find(id).flatMap { streams.slots[$0].method } }

  /// Returns the deadline of a call.
  mutating func deadline(_ id: Int32) -> NIODeadline {
    streams.find(id).map { streams.slots[$0].times.deadline } ?? .distantFuture
  }

  /// Whether the call can still be answered.
  mutating func isUnanswered(_ id: Int32) -> Bool {
    guard let slot = streams.find(id) else { return false }
    return !streams.slots[slot].hasEnded && !streams.slots[slot].response.hasStatus
  }

  /// Returns the next part for a handler, or nil if it has to wait.
  mutating func read(_ id: Int32) -> RequestReading? {
    guard let slot = streams.find(id) else { return .callEnded }
    return takePart(slot)
  }

  /// Registers a handler that waits for the next part: ``ConnectionAction/resumeReader(_:_:)``.
  mutating func awaitPart(_ id: Int32) {
    guard let slot = streams.find(id), !streams.slots[slot].hasEnded else { return }
    streams.slots[slot].readerWaits = true
    _ = deliver(slot)
  }

  /// Cancels the wait of a handler. Returns whether it was waiting.
  mutating func stopAwaitingPart(_ id: Int32) -> Bool {
    guard let slot = streams.find(id), streams.slots[slot].readerWaits else { return false }
    streams.slots[slot].readerWaits = false
    updateReceiveTime(slot)
    return true
  }

  /// Resumes a call after room for responses has become free.
  mutating func roomFreed(_ slot: Int) -> ConnectionAction? {
    if case .pending = streams.slots[slot].stage { return deliver(slot) }
    if !isFull(slot) { resumeWriters(slot) }
    if case .taken = streams.slots[slot].stage { return takeRequests(slot) }
    return streams.slots[slot].readerWaits ? deliver(slot) : nil
  }

  private mutating func resumeReader(_ slot: Int) {
    guard streams.slots[slot].readerWaits, let reading = takePart(slot) else { return }
    streams.slots[slot].readerWaits = false
    push(.resumeReader(streams.slots[slot].id, reading))
  }

  /// Returns the next part for a handler, or nil if it has to wait.
  mutating func takePart(_ slot: Int) -> RequestReading? {
    if !streams.slots[slot].headIsDelivered {
      streams.slots[slot].headIsDelivered = true
      return .part(.metadata(streams.slots[slot].head.metadata))
    }
    streams.slots[slot].account.inHand = 0
    if streams.slots[slot].takesManyMessages { expectAnswer(slot) }
    defer { settle(slot) }
    if streams.slots[slot].hasEnded { return .callEnded }
    if let failure = streams.slots[slot].request.failure { return .failure(failure) }
    if streams.slots[slot].takesManyMessages, memory.isSendingFull {
      // The answer to the next message would only add to the queued output.
      waitForRoom(slot)
      return nil
    }
    let before = streams.slots[slot].deframer.bufferedBytes
    guard let frame = streams.slots[slot].deframer.next() else {
      return streams.slots[slot].request.hasEnded ? .end : nil
    }
    let read = before - streams.slots[slot].deframer.bufferedBytes
    returnWindow(slot, min(streams.slots[slot].account.heldWindow, read))
    return takeMessage(slot, frame)
  }

  private mutating func takeMessage(_ slot: Int, _ frame: MessageDeframer.Frame) -> RequestReading {
    do throws(RPCError) {
      let message = try streams.slots[slot].inflate(frame)
      streams.slots[slot].account.inHand = message.count
      guard memory.hasRoom(for: streams.slots[slot].account.costInHand) else {
        throw error(.connectionIsFull)
      }
      if streams.slots[slot].method?.answersEachMessage ?? false { expectAnswer(slot) }
      return .part(.message(message))
    } catch {
      failRequest(slot, error)
      return .failure(error)
    }
  }

  /// Reserves room for the answer to the message in hand. Answers to messages passed on in one turn arrive after the
  /// turn.
  private mutating func expectAnswer(_ slot: Int) {
    expect(slot, streams.slots[slot].account.answer(largest: configuration.writeBufferSize))
  }

  /// Returns the window of the received part of an awaited message, so that the rest can arrive. The buffered bytes
  /// then count in the connection's memory; without room the request fails.
  mutating func awaitRequest(_ slot: Int) {
    returnWindow(slot, streams.slots[slot].account.heldWindow)
    settle(slot)
    if streams.slots[slot].deframer.bufferedBytes > 0, !memory.hasRoomToWait {
      failRequest(slot, error(.connectionIsFull))
    }
  }

  /// Fails the request with `error`, whatever the client sends.
  mutating func failRequest(_ slot: Int, _ error: RPCError) {
    streams.slots[slot].fail(error)
    returnWindow(slot, streams.slots[slot].account.heldWindow)
  }

  // MARK: The end

  /// Ends the call: it was reset by the client, ended on both sides, or lost with its connection.
  mutating func endCall(_ slot: Int) {
    guard !streams.slots[slot].hasEnded else { return }
    let wasCancelled = !streams.slots[slot].response.hasStatus
    let hasCall = streams.slots[slot].hasCall
    streams.slots[slot].life = .ended
    if streams.slots[slot].notes.contains(.room) { waitingForRoom.remove(streams.slots[slot].id) }
    releaseMemory(slot)
    streams.slots[slot].times.clear()
    if wasCancelled { cancel(slot) }
    streams.slots[slot].readerWaits = false
    streams.slots[slot].writersWait = false
    if hasCall { push(.closed(streams.slots[slot].id)) }
  }

  /// Cancels the work of the call's task or method.
  mutating func cancel(_ slot: Int) {
    if case .live = streams.slots[slot].life { streams.slots[slot].life = .cancelled }
    guard streams.slots[slot].hasCall else { return }
    push(.cancel(streams.slots[slot].id))
    if case .taken(isBusy: false) = streams.slots[slot].stage {
      streams.slots[slot].stage = .done
      settle(slot)
    }
  }

  private mutating func releaseMemory(_ slot: Int) {
    let held = streams.slots[slot].account.heldWindow
    streams.slots[slot].account.heldWindow = 0
    memory.unread -= held
    memory.unsent -= streams.slots[slot].output.count
    owe(held)
    expect(slot, 0)
    pool.giveBack(streams.slots[slot].takeMemory())
    settle(slot)
  }

  /// Removes a call that has no task and no open stream.
  mutating func forget(_ slot: Int) { streams.remove(slot) }

  /// Records that the call's task has ended.
  mutating func taskEnded(_ id: Int32) {
    guard let slot = streams.find(id) else { return }
    if case .handler = streams.slots[slot].stage {
      if !streams.slots[slot].hasEnded, !streams.slots[slot].response.hasStatus {
        // GRPCCore always writes a status; another handler may not.
        endResponse(
          slot, CallFault(.handlerFailure, .internalError, "the handler ended without a status"))
      }
      streams.slots[slot].stage = .done
    }
    tasks -= 1
    streams.slots[slot].account.inHand = 0
    expect(slot, 0)
    settle(slot)
    if case .closed = streams.slots[slot].life { forget(slot) }
    memory.balance()
    guard end.isLost else { return resumeWaitingForTasks() }
    if tasks == 0 { finish() }
  }
}

extension CallFault {
  /// The fault of a call that exceeds the connection's memory limit.
  static let connectionIsFull = CallFault(
    .overloaded, .resourceExhausted, "the calls of the connection have reached its memory limit")
}
