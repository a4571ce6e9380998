import GRPCCore
import NIOCore

/// Room for responses: calls that would fill the connection's buffers wait until the client has taken more.
extension ConnectionCore {
  /// Bytes of a response that do not stand in the way of others.
  private static let smallResponse = 4 * 1_024

  /// Whether a writer has to wait.
  func isFull(_ slot: Int) -> Bool {
    let count = streams[slot].output.readableBytes
    guard !streams[slot].response.hasStatus, count > 0 else { return false }
    return count > configuration.writeBufferSize || (memory.isSendingFull && count > Self.smallResponse)
  }

  /// Whether the writers of a call have to wait.
  enum Room {
    case free
    case full
    /// The call is over.
    case over
  }

  /// Whether a writer of the call has to wait.
  mutating func room(_ id: Int32) -> Room {
    guard let slot = streams.find(id) else { return .over }
    return isFull(slot) ? .full : .free
  }

  /// A writer of the call waits, if it has to.
  mutating func awaitRoom(_ id: Int32) -> Room {
    guard let slot = streams.find(id), !streams[slot].isOver else { return .over }
    guard isFull(slot) else { return .free }
    streams[slot].writersWait = true
    waitToSend(slot)
    return .full
  }

  /// The call is full, and goes on when the client has taken some of its responses.
  mutating func waitToSend(_ slot: Int) {
    if memory.isSendingFull { waitForRoom(slot) }
    streams[slot].times.awaitSending(timeout: sendTimeout, now: now)
    noteWakeup(slot)
  }

  /// The call goes on once there is room: ``roomCame(_:)``.
  mutating func waitForRoom(_ slot: Int) {
    guard streams[slot].notes.insert(.room).inserted else { return }
    if waitingForRoom.append(streams[slot].id, now: now) { needsTurn = true }
  }

  /// Lets calls go on that wait for room: as many as fill it, if each fills its own buffer.
  mutating func resumeWaitingForRoom() {
    needsTurn = false
    guard !waitingForRoom.isEmpty, !memory.isSendingFull, !end.isLost else { return }
    let count = max(1, memory.sendRoom / configuration.writeBufferSize)
    for _ in 0..<count {
      guard let id = waitingForRoom.popFirst() else { break }
      guard let slot = streams.find(id) else { continue }
      streams[slot].notes.remove(.room)
      push(.roomCame(id))
    }
    waitingForRoom.renew(now: now)
    // Those that go on may leave room for more.
    if !waitingForRoom.isEmpty { needsTurn = true }
  }

  mutating func resumeWriters(_ slot: Int) {
    guard streams[slot].writersWait else { return }
    streams[slot].writersWait = false
    push(.resumeWriters(streams[slot].id))
  }

  /// Resets the streams whose responses the client does not read, for the sake of those that wait, and keeps no more room
  /// for handlers that have nothing to say.
  mutating func endStalled() {
    waitingForRoom.renew(now: now)
    for slot in streams.openSlots {
      if streams[slot].output.readableBytes > Self.smallResponse,
        streams[slot].times.isStalled(since: now - RoomQueue.patience, timeout: sendTimeout)
      {
        push(.reset(streams[slot].id, .cancel))
      }
      if !streams[slot].takesManyMessages { expect(slot, 0) }
    }
  }
}
