import GRPCCore
import NIOCore

/// What a call may take of time: its deadline, and how long the client may be silent or not read.
extension ServerStream {
  /// The next time at which ``timePassed(now:)`` has something to do.
  var wakeup: NIODeadline { min(deadline, min(receiveBy, sendBy)) }

  func noteWakeup() { connection.wakeupNeeded(at: wakeup) }

  /// Ends the call if its deadline has passed, or the client has been too slow with its request or in reading the
  /// response. Its connection goes on: behind a proxy its other calls are other clients'.
  func timePassed(now: NIODeadline) {
    if now >= deadline {
      deadline = .distantFuture
      if output.readableBytes == 0 {
        end(.deadlinePassed)
      } else {
        // Messages that the client has not taken are before the status.
        connection.reset(self, .cancel)
      }
      cancelHandler()
    }
    if now >= receiveBy {
      receiveBy = .distantFuture
      requestIsOverdue(now: now)
    }
    if now >= sendBy {
      sendBy = .distantFuture
      connection.reset(self, .cancel)
    }
  }

  private func requestIsOverdue(now: NIODeadline) {
    if isRefused { return refuse() }
    // The handler ends the call, so that what it logs is what the client gets.
    failRequest(rpcError(.requestOverdue))
    dataDelivered(now: now)
  }

  /// Ends the call with `fault`, whatever its handler does.
  func cutOff(_ fault: CallFault) {
    if isRefused { refuse() } else { end(fault) }
    cancelHandler()
  }

  /// `fault` as a handler sees it.
  func rpcError(_ fault: CallFault) -> RPCError {
    RPCError(code: fault.code, message: fault.message, metadata: configuration.faultDetails(fault))
  }

  /// Whether the client is waited for, and nothing else.
  private var isAwaited: Bool {
    (reader != nil || (requests != nil && deframer.completeMessages == 0)) && !isWaitingForRoom
  }

  /// Of a message that the handler waits for, and of a request with one message, time is counted from its
  /// beginning.
  func updateReceiveTime(now: NIODeadline) {
    let isWaiting =
      !requestHasEnded && requestFailure == nil && !response.hasStatus
      && (!takesManyMessages || (deframer.isIncomplete && isAwaited))
    guard isWaiting else {
      receiveBy = .distantFuture
      if takesManyMessages { receiveSince = nil }
      return
    }
    if receiveSince?.messages != messagesReceived, takesManyMessages { receiveSince = nil }
    let since = receiveSince ?? (now, messagesReceived)
    receiveSince = since
    let forLength = TimeAmount.seconds(Int64(deframer.missingBytes / 4_096))
    let by = since.start + TimeAmount(configuration.receiveTimeout) + forLength
    receiveBy = receiveBy == .distantFuture ? by : max(by, receiveBy)
    noteWakeup()
  }
}
