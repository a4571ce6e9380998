import GRPCCore
import NIOCore

/// How a call's answer begins.
extension ServerStream {
  /// Answers the call, begins its handler, or waits for what that needs: the whole request if it is one message, so
  /// that a client that does not complete it holds no task; and room for a stream of responses.
  func launch(_ method: Method, now: NIODeadline) {
    guard !response.hasStatus else { return }
    isPending = true
    if !method.takesManyMessages, !requestHasEnded, requestFailure == nil {
      noteDeadline(now: now)
      awaitRequest()
      updateReceiveTime(now: now)
      // What has come may be too much.
      if requestFailure == nil { return }
    }
    if let inline = method.inline, respond(by: inline, now: now) { return }
    if method.isServerStreaming, requestFailure == nil, connection.memory.isSendingFull {
      noteDeadline(now: now)
      // The client has sent what it has to: it is not waited for any more.
      updateReceiveTime(now: now)
      return connection.waitForRoom(self)
    }
    isPending = false
    // A stream of responses begins with as much as fills its buffer, but possibly not at once.
    if method.isServerStreaming { expect(configuration.writeBufferSize) }
    guard connection.memory.hasRoom(for: costOfTask) else {
      expect(0)
      return end(Self.noRoom)
    }
    start(now: now) { stream in
      await withServerContextRPCCancellationHandle { handle in
        await stream.run(method.descriptor, handle)
      }
    }
    updateReceiveTime(now: now)
  }

  func noteDeadline(now: NIODeadline) {
    guard let timeout = head.timeout, deadline == .distantFuture else { return }
    deadline = now + timeout
    noteWakeup()
  }

  /// There is room for responses again.
  func roomCame(now: NIODeadline) {
    if isPending {
      if let method { launch(method, now: now) }
      return
    }
    if !isFull { resumeWriters() }
    if reader != nil || takesRequests { dataDelivered(now: now) }
  }
}
