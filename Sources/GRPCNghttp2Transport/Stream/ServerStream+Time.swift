import GRPCCore
import NIOCore

/// What a call may take of time: its deadline, and how long the client may be silent or not read.
extension ServerStream {
  /// The next time at which ``timePassed(now:)`` has something to do.
  var wakeup: NIODeadline { min(deadline, min(receiveBy, sendBy)) }

  func noteWakeup() { connection.wakeupNeeded(at: wakeup) }

  enum Overdue {
    case request
    case response
  }

  /// Ends the call if its deadline has passed. Returns what the client has been too slow with, if anything.
  func timePassed(now: NIODeadline) -> Overdue? {
    if now >= deadline {
      deadline = .distantFuture
      if output.readableBytes == 0 {
        end(Status(code: .deadlineExceeded, message: "the deadline has passed"))
      } else {
        // Messages that the client has not taken are before the status.
        connection.reset(self, .cancel)
      }
      cancelHandler()
    }
    if now >= receiveBy {
      receiveBy = .distantFuture
      return .request
    }
    if now >= sendBy {
      sendBy = .distantFuture
      return .response
    }
    return nil
  }

  /// Of a message that the handler waits for, and of a request with one message, time is counted from its
  /// beginning.
  func updateReceiveTime(now: NIODeadline) {
    let isWaiting =
      !requestHasEnded && requestFailure == nil && !response.hasStatus
      && (!takesManyMessages || (deframer.isIncomplete && reader != nil))
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
