import GRPCCore
import NIOCore

/// How calls begin, read their requests, and end.
extension ConnectionCore {
  /// A call whose header block is complete begins, or is answered at once.
  mutating func begin(_ slot: Int) -> ConnectionAction? {
    switch streams[slot].stage {
    case .accepted:
      if streams[slot].head.acceptedEncodings.contains(configuration.compression) {
        streams[slot].encoding = configuration.compression
      }
      streams[slot].stage = .pending
      return launch(slot)
    case .rejected(let fault, let httpStatus):
      streams[slot].response.setHTTPStatus(httpStatus)
      streams[slot].stage = .done
      endResponse(slot, fault)
    case .http:
      // A client that is still sending would be cut off, and lose the answer.
      if streams[slot].request.hasEnded {
        answerInHTTP(slot)
      } else {
        streams[slot].times.receiveBy = now + receiveTimeout
        noteWakeup(slot)
      }
    default: break
    }
    return nil
  }

  /// Answers the call, begins its handler, or waits for what that needs: the whole request if it is one message, so that a
  /// client that does not complete it holds no task; and room for a stream of responses.
  private mutating func launch(_ slot: Int) -> ConnectionAction? {
    guard !streams[slot].response.hasStatus, let method = streams[slot].method else { return nil }
    if !method.takesManyMessages, streams[slot].request.isOpen {
      noteDeadline(slot)
      awaitRequest(slot)
      updateReceiveTime(slot)
      // What has come may be too much.
      if streams[slot].request.isOpen { return nil }
    }
    guard canAnswer(slot, method) else { return launchHandler(slot) }
    return .answer(streams[slot].id)
  }

  /// Whether the call is one for the inline method of `method`.
  private mutating func canAnswer(_ slot: Int, _ method: Method) -> Bool {
    let isComplete = if case .ended = streams[slot].request { !method.takesManyMessages } else { false }
    switch method.inline {
    case .unary:
      return isComplete && streams[slot].encoding == .identity && streams[slot].deframer.nextIsPlain
    case .stream:
      if isComplete { noteDeadline(slot) }
      return isComplete
    case .requests:
      // Without room the call is the handler's, for which there is none either.
      guard method.takesManyMessages, memory.hasRoom(for: StreamAccount.waiting) else { return false }
      noteDeadline(slot)
      return true
    case nil:
      return false
    }
  }

  /// Begins the handler of a call that no inline method answers.
  mutating func launchHandler(_ slot: Int) -> ConnectionAction? {
    guard let method = streams[slot].method else { return nil }
    if method.isServerStreaming, streams[slot].request.failure == nil, memory.isSendingFull {
      noteDeadline(slot)
      // The client has sent what it has to: it is not waited for any more.
      updateReceiveTime(slot)
      waitForRoom(slot)
      return nil
    }
    // A stream of responses begins with as much as fills its buffer, but possibly not at once.
    if method.isServerStreaming { expect(slot, configuration.writeBufferSize) }
    guard memory.hasRoom(for: costOfTask(slot)) else {
      expect(slot, 0)
      streams[slot].stage = .done
      endResponse(slot, .connectionIsFull)
      return nil
    }
    startHandler(slot)
    updateReceiveTime(slot)
    return .startHandler(streams[slot].id)
  }

  private func costOfTask(_ slot: Int) -> Int {
    streams[slot].costOfTask(maxHeaderListSize: configuration.maxHeaderListSize)
  }

  /// A task answers the call from now on.
  mutating func startHandler(_ slot: Int) {
    noteDeadline(slot)
    streams[slot].stage = .handler
    tasks += 1
    settle(slot)
  }

  /// Hands what has arrived to a handler that waits for it, and returns the window of what it waits for.
  mutating func deliver(_ slot: Int) -> ConnectionAction? {
    switch streams[slot].stage {
    case .http:
      if streams[slot].request.hasEnded { answerInHTTP(slot) }
      return nil
    case .pending: return launch(slot)
    case .taken: return takeRequests(slot)
    case .arriving, .accepted, .rejected, .handler, .stream, .done: break
    }
    resumeReader(slot)
    if streams[slot].readerWaits, !streams[slot].notes.contains(.room) {
      awaitRequest(slot)
      // What has come may be too much.
      resumeReader(slot)
    }
    updateReceiveTime(slot)
    return nil
  }

  // MARK: What a handler reads

  /// The method of a call.
  mutating func method(_ id: Int32) -> Method? { streams.find(id).flatMap { streams[$0].method } }

  /// When a call must have ended.
  mutating func deadline(_ id: Int32) -> NIODeadline {
    streams.find(id).map { streams[$0].times.deadline } ?? .distantFuture
  }

  /// Whether a call can still be answered.
  mutating func isUnanswered(_ id: Int32) -> Bool {
    guard let slot = streams.find(id) else { return false }
    return !streams[slot].isOver && !streams[slot].response.hasStatus
  }

  /// What a handler that asks for the next part gets; nil if it has to wait.
  mutating func read(_ id: Int32) -> RequestReading? {
    guard let slot = streams.find(id) else { return .over }
    return takePart(slot)
  }

  /// The handler waits for the next part: ``ConnectionAction/resumeReader(_:_:)``.
  mutating func awaitPart(_ id: Int32) {
    guard let slot = streams.find(id), !streams[slot].isOver else { return }
    streams[slot].readerWaits = true
    _ = deliver(slot)
  }

  /// The handler does not wait any more. Returns whether it did.
  mutating func stopAwaitingPart(_ id: Int32) -> Bool {
    guard let slot = streams.find(id), streams[slot].readerWaits else { return false }
    streams[slot].readerWaits = false
    updateReceiveTime(slot)
    return true
  }

  /// There is room for responses again.
  mutating func roomCame(_ slot: Int) -> ConnectionAction? {
    if case .pending = streams[slot].stage { return deliver(slot) }
    if !isFull(slot) { resumeWriters(slot) }
    if case .taken = streams[slot].stage { return takeRequests(slot) }
    return streams[slot].readerWaits ? deliver(slot) : nil
  }

  private mutating func resumeReader(_ slot: Int) {
    guard streams[slot].readerWaits, let reading = takePart(slot) else { return }
    streams[slot].readerWaits = false
    push(.resumeReader(streams[slot].id, reading))
  }

  /// What a handler that asks for the next part gets; nil if it has to wait.
  mutating func takePart(_ slot: Int) -> RequestReading? {
    if !streams[slot].headIsDelivered {
      streams[slot].headIsDelivered = true
      return .part(.metadata(streams[slot].head.metadata))
    }
    streams[slot].account.inHand = 0
    if streams[slot].takesManyMessages { expectAnswer(slot) }
    defer { settle(slot) }
    if streams[slot].isOver { return .over }
    if let failure = streams[slot].request.failure { return .failure(failure) }
    if streams[slot].takesManyMessages, memory.isSendingFull {
      // What the next message is answered with would only add to what waits to be sent.
      waitForRoom(slot)
      return nil
    }
    let before = streams[slot].deframer.bufferedBytes
    guard let frame = streams[slot].deframer.next() else {
      return streams[slot].request.hasEnded ? .end : nil
    }
    let read = before - streams[slot].deframer.bufferedBytes
    returnWindow(slot, min(streams[slot].account.heldWindow, read))
    return takeMessage(slot, frame)
  }

  private mutating func takeMessage(_ slot: Int, _ frame: MessageDeframer.Frame) -> RequestReading {
    do throws(RPCError) {
      let message = try streams[slot].inflate(frame)
      streams[slot].account.inHand = message.count
      guard memory.hasRoom(for: streams[slot].account.costInHand) else { throw error(.connectionIsFull) }
      if streams[slot].method?.answersEachMessage ?? false { expectAnswer(slot) }
      return .part(.message(message))
    } catch {
      failRequest(slot, error)
      return .failure(error)
    }
  }

  /// Has the connection's memory leave room for the answer to the message in hand, if there is one: the answers to messages
  /// that are handed over in one turn come when it is over.
  private mutating func expectAnswer(_ slot: Int) {
    expect(slot, streams[slot].account.answer(largest: configuration.writeBufferSize))
  }

  /// Returns the window of what has come of a message that is awaited, so that the rest can come. What is kept of it counts
  /// in the connection's memory from now on, and fails the request if there is no room.
  mutating func awaitRequest(_ slot: Int) {
    returnWindow(slot, streams[slot].account.heldWindow)
    settle(slot)
    if streams[slot].deframer.bufferedBytes > 0, !memory.hasRoomToWait {
      failRequest(slot, error(.connectionIsFull))
    }
  }

  /// The request ends with `error`, whatever its client sends.
  mutating func failRequest(_ slot: Int, _ error: RPCError) {
    streams[slot].fail(error)
    returnWindow(slot, streams[slot].account.heldWindow)
  }

  // MARK: The end

  /// The call is over: reset by the client, ended on both sides, or lost with its connection.
  mutating func endCall(_ slot: Int) {
    guard !streams[slot].isOver else { return }
    let wasCancelled = !streams[slot].response.hasStatus
    let hasCall = streams[slot].hasCall
    streams[slot].life = .over
    if streams[slot].notes.contains(.room) { waitingForRoom.remove(streams[slot].id) }
    releaseMemory(slot)
    streams[slot].times.clear()
    if wasCancelled { cancel(slot) }
    streams[slot].readerWaits = false
    streams[slot].writersWait = false
    if hasCall { push(.closed(streams[slot].id)) }
  }

  /// The call's task, or its method, has nothing more to do.
  mutating func cancel(_ slot: Int) {
    if case .live = streams[slot].life { streams[slot].life = .cancelled }
    guard streams[slot].hasCall else { return }
    push(.cancel(streams[slot].id))
    if case .taken(isBusy: false) = streams[slot].stage {
      streams[slot].stage = .done
      settle(slot)
    }
  }

  private mutating func releaseMemory(_ slot: Int) {
    let held = streams[slot].account.heldWindow
    streams[slot].account.heldWindow = 0
    memory.unread -= held
    memory.unsent -= streams[slot].output.readableBytes
    owe(held)
    expect(slot, 0)
    pool.giveBack(streams[slot].takeMemory())
    settle(slot)
  }

  /// Nothing is left of the call.
  mutating func forget(_ slot: Int) { streams.remove(slot) }

  /// The call's task has ended.
  mutating func taskEnded(_ id: Int32) {
    guard let slot = streams.find(id) else { return }
    if case .handler = streams[slot].stage {
      if !streams[slot].isOver, !streams[slot].response.hasStatus {
        // GRPCCore always writes a status; another handler may not.
        endResponse(
          slot, CallFault(.handlerFailure, .internalError, "the handler ended without a status"))
      }
      streams[slot].stage = .done
    }
    tasks -= 1
    streams[slot].account.inHand = 0
    expect(slot, 0)
    settle(slot)
    if case .closed = streams[slot].life { forget(slot) }
    memory.balance()
    guard end.isLost else { return resumeWaitingForTasks() }
    if tasks == 0 { finish() }
  }
}

extension CallFault {
  /// What a call fails with for which there is no memory.
  static let connectionIsFull = CallFault(
    .overloaded, .resourceExhausted, "the calls of the connection hold all the memory that they may")
}
