import GRPCCore
import NIOCore

/// Calls whose messages an ``InlineMethod`` takes.
extension ServerStream {
  /// Lets `method` take the call, which then keeps nothing of its headers. Returns whether it does.
  func acceptRequests(by method: (borrowing InlineStream) -> InlineAcceptance) -> Bool {
    switch method(InlineStream(self, message: UnsafeRawBufferPointer(start: nil, count: 0))) {
    case .taken(let requests):
      self.requests = requests
      takesRequests = true
      headWasDelivered()
      dropHead()
      // As GRPCCore's handlers do, for clients that wait for headers before they send messages.
      if self.method?.answersEachMessage ?? false {
        response.metadata([:])
        connection.submitLater(self)
      }
    case .refused(let error):
      conclude(error)
    case .declined:
      return false
    }
    return true
  }

  /// Whether there is something to take: a message, or the end of the request.
  private var hasPart: Bool { deframer.completeMessages > 0 || requestHasEnded || requestFailure != nil }

  /// Has a task take what there is, unless one does already, or the client has to read first. If there is nothing, the
  /// client is waited for.
  func takeRequests(now: NIODeadline) {
    guard requests != nil, !response.hasStatus, !isClosed, !isWaitingForRoom else { return }
    if !hasPart {
      giveBackMemory()
      awaitRequest()
    }
    // Whatever a message that has come waits for now, it is not the client.
    updateReceiveTime(now: now)
    // What has come of one may be too much.
    guard hasPart else { return }
    if isFull { return waitToSend() }
    let othersRun = connection.requestTasks > 0
    if !connection.memory.hasRoom(forTask: costOfTask, othersRun: othersRun) {
      if othersRun { return connection.waitForTask(self) }
      failRequest(rpcError(Self.noRoom))
    }
    connection.requestTasks += 1
    startTask { stream in
      guard var requests = stream.requests.take() else { return stream.requestTaskEnded(nil) }
      let isOver = await stream.takeParts(with: &requests)
      stream.connection.executor.run { [requests] in stream.requestTaskEnded(isOver ? nil : requests) }
    }
    updateReceiveTime(now: now)
  }

  /// Takes what there is. Returns whether `requests` has ended the call.
  private func takeParts(with requests: inout any InlineRequests) async -> Bool {
    while true {
      if connection.executor.isSliceOver { await connection.executor.rest() }
      guard !isClosed, !response.hasStatus, !isFull, let part = takePart() else { return false }
      let step: InlineStep
      var isLast = false
      switch part {
      case .success(.message(let message)):
        step = await requests.receive(message)
      case .success(.metadata):
        step = .next
      case .success(nil):
        step = await requests.requestEnded(nil)
        isLast = true
      case .failure(let error):
        guard let error = error as? RPCError else { return false }
        step = await requests.requestEnded(error)
        isLast = true
      }
      await connection.executor.comeBack()
      guard !isClosed, !response.hasStatus else { return false }
      switch step {
      case .next where isLast:
        end(CallFault(.handlerFailure, .internalError, "the method has not ended its call"))
        return false
      case .next:
        expect(0)
      case .send(let message):
        send(message)
      case .end(let message, let error):
        if let message { send(message) }
        if !response.hasStatus { conclude(error) }
        return true
      }
    }
  }

  /// Sends a message, or ends the call if it is too large.
  private func send(_ message: MessageBytes) {
    do {
      try accept(.message(message))
    } catch {
      // Of a call that is not over, nothing else can be wrong with it.
      end(Self.tooLarge(message.count, configuration))
    }
  }

  private func conclude(_ error: RPCError?) {
    let status = error.map { Status($0) } ?? Status(code: .ok, message: "")
    // It fails only for a call that is over.
    try? accept(.status(status, error?.metadata ?? [:]))
  }

  /// No task takes messages now: `requests` wait for the next, unless the call is over.
  private func requestTaskEnded(_ requests: (any InlineRequests)?) {
    connection.requestTasks -= 1
    self.requests = requests
    if isClosed || isCancelled || response.hasStatus { forgetRequests() }
    taskEnded()
    takeRequests(now: connection.executor.loop.now)
  }

  /// The call is over before its status, if nothing else has ended it.
  func forgetRequests() {
    guard var requests = requests.take() else { return }
    settle()
    requests.callEnded()
  }
}
