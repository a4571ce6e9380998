import GRPCCore
import NIOCore

/// Room for responses: calls that would exceed the connection's output buffers wait until the client has read more.
extension ConnectionCore {
  /// A response of at most this many bytes is sent even if the connection is full.
  private static let smallResponse = 4 * 1_024

  /// Whether a writer has to wait.
  func isFull(_ slot: Int) -> Bool {
    let count = streams.slots[slot].output.count
    guard !streams.slots[slot].response.hasStatus, count > 0 else { return false }
    return count > configuration.writeBufferSize || (memory.isSendingFull && count > Self.smallResponse)
  }

  /// The state of a call's output buffer.
  enum Room {
    case free
    case full
    /// The call has ended.
    case callEnded
  }

  /// Returns whether a writer of the call has to wait.
  mutating func room(_ id: Int32) -> Room {
    guard let slot = streams.find(id) else { return .callEnded }
    return isFull(slot) ? .full : .free
  }

  /// Registers a writer of the call as waiting, if it has to wait.
  mutating func awaitRoom(_ id: Int32) -> Room {
    guard let slot = streams.find(id), !streams.slots[slot].hasEnded else { return .callEnded }
    guard isFull(slot) else { return .free }
    streams.slots[slot].writersWait = true
    waitToSend(slot)
    return .full
  }

  /// Starts the send time-out of a call that is full, and queues it for room.
  mutating func waitToSend(_ slot: Int) {
    if memory.isSendingFull { waitForRoom(slot) }
    streams.slots[slot].times.awaitSending(timeout: sendTimeout, now: now)
    noteWakeup(slot)
  }

  /// Queues the call until there is room: ``roomFreed(_:)``.
  mutating func waitForRoom(_ slot: Int) {
    guard streams.slots[slot].notes.insert(.room).inserted else { return }
    if waitingForRoom.append(streams.slots[slot].id, now: now) { needsTurn = true }
  }

  /// Resumes as many waiting calls as fit if each fills its own buffer.
  mutating func resumeWaitingForRoom() {
    needsTurn = false
    guard !waitingForRoom.isEmpty, !memory.isSendingFull, !end.isLost else { return }
    let count = max(1, memory.sendRoom / configuration.writeBufferSize)
    for _ in 0..<count {
      guard let id = waitingForRoom.popFirst() else { break }
      guard let slot = streams.find(id) else { continue }
      streams.slots[slot].notes.remove(.room)
      push(.roomFreed(id))
    }
    waitingForRoom.renew(now: now)
    // The resumed calls may leave room for more.
    if !waitingForRoom.isEmpty { needsTurn = true }
  }

  mutating func resumeWriters(_ slot: Int) {
    guard streams.slots[slot].writersWait else { return }
    streams.slots[slot].writersWait = false
    push(.resumeWriters(streams.slots[slot].id))
  }

  /// Resets streams whose responses are not read while others wait for room, and releases the room reserved for idle
  /// handlers.
  mutating func endStalled() {
    waitingForRoom.renew(now: now)
    for slot in streams.openSlots {
      if streams.slots[slot].output.count > Self.smallResponse,
        streams.slots[slot].times.isStalled(since: now - RoomQueue.patience, timeout: sendTimeout)
      {
        push(.reset(streams.slots[slot].id, .cancel))
      }
      if !streams.slots[slot].takesManyMessages { expect(slot, 0) }
    }
  }
}
