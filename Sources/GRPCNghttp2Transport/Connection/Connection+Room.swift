import NIOCore

/// Room for responses: calls that would fill the connection's buffers wait until the client has taken more.
extension Connection {
  /// How long a client may take nothing of a response while other calls of its connection wait for the room.
  private static let patience = TimeAmount.seconds(10)
  /// Bytes of a response that do not stand in the way of others.
  static let smallResponse = 4 * 1_024

  /// `stream` goes on once there is room: ``ServerStream/roomCame(now:)``.
  func waitForRoom(_ stream: ServerStream) {
    guard !stream.isWaitingForRoom else { return }
    stream.isWaitingForRoom = true
    waiting.append(stream)
    if waiting.count == 1 {
      waitingSince = executor.loop.now
      onWork()
    }
  }

  /// Lets streams go on that wait: as many as fill the room, if each fills its own buffer.
  func resumeWaiting() {
    guard !waiting.isEmpty, !memory.isSendingFull, session != nil else { return }
    let count = max(1, memory.sendRoom / configuration.writeBufferSize)
    for _ in 0..<count where !waiting.isEmpty && !memory.isSendingFull {
      let stream = waiting.removeFirst()
      stream.isWaitingForRoom = false
      if !stream.isClosed { stream.roomCame(now: now) }
    }
    waitingSince = waiting.isEmpty ? .distantFuture : now
    // Those that have gone on may leave room for more.
    if !waiting.isEmpty { onWork() }
  }

  /// `stream` goes on once a task has ended, and so given back its memory: ``ServerStream/takeRequests(now:)``.
  func waitForTask(_ stream: ServerStream) {
    guard !stream.isWaitingForTask else { return }
    stream.isWaitingForTask = true
    waitingForTasks.append(stream)
  }

  /// Lets the streams go on that wait for tasks' ends: in a turn of their own, lest the end of each be inside of the end of
  /// the one before. Those for which there is still no room wait again.
  func resumeWaitingForTasks() {
    guard !waitingForTasks.isEmpty else { return }
    let streams = waitingForTasks
    waitingForTasks = []
    for stream in streams {
      stream.isWaitingForTask = false
      stream.later { $0.takeRequests(now: $0.connection.executor.loop.now) }
    }
  }

  /// When ``endStalled()`` has something to do.
  var roomWakeup: NIODeadline {
    waiting.isEmpty ? .distantFuture : waitingSince + Self.patience
  }

  /// Resets the streams whose responses the client does not read, for the sake of those that wait, and keeps no more
  /// room for handlers that have nothing to say.
  func endStalled() {
    waitingSince = now
    for stream in streams.values {
      if stream.isStalled(since: now - Self.patience) { reset(stream, .cancel) }
      if !stream.takesManyMessages { stream.expect(0) }
    }
  }
}
