import GRPCCore
import NIOCore

/// Time-outs and other timed events.
extension ConnectionCore {
  /// How long a connection without streams keeps the memory of their slots.
  private static let idleMemory = TimeAmount.seconds(10)

  /// Notes when ``timePassed(now:)`` has something to do.
  mutating func updateWakeup() {
    var next = min(gate.wakeup, min(lifetime.wakeup, min(streamWakeup, waitingForRoom.wakeup)))
    if !gate.hasReceivedSettings { next = min(next, startBy) }
    if let since = gate.incompleteSince {
      next = min(next, since + receiveTimeout)
    }
    if let idleSince { next = min(next, idleSince + Self.idleMemory) }
    wakeup = next
  }

  /// Performs everything that is due at `now`.
  mutating func timePassed(now: NIODeadline) {
    self.now = now
    if !gate.hasReceivedSettings, now >= startBy {
      fail(.protocolError, "preface and SETTINGS did not arrive in time")
    }
    if let since = gate.incompleteSince, now >= since + receiveTimeout {
      fail(.enhanceYourCalm, "a frame was not completed in time")
    }
    switch gate.timePassed(now: now) {
    case .nothing: break
    case .sendPing: push(.ping)
    case .close: fail(.noError, "a ping was not answered in time")
    }
    act(lifetime.timePassed(now: now))
    if now >= waitingForRoom.wakeup { endStalled() }
    if now >= streamWakeup { streamTimePassed() }
    if let idleSince, now >= idleSince + Self.idleMemory {
      self.idleSince = nil
      streams.giveBackMemory()
    }
    updateWakeup()
  }

  private mutating func streamTimePassed() {
    streamWakeup = .distantFuture
    for slot in streams.openSlots {
      timePassed(slot)
      noteWakeup(slot)
    }
  }

  /// Ends the call if its deadline has passed, or if the client sends or reads too slowly. The connection continues,
  /// because behind a proxy its other calls belong to other clients.
  private mutating func timePassed(_ slot: Int) {
    let times = streams.slots[slot].times
    if now >= times.deadline {
      streams.slots[slot].times.deadline = .distantFuture
      if streams.slots[slot].output.isEmpty {
        endResponse(slot, .deadlinePassed)
      } else {
        // The unread messages precede the status, so the stream is reset.
        push(.reset(streams.slots[slot].id, .cancel))
      }
      cancel(slot)
    }
    if now >= times.receiveBy {
      streams.slots[slot].times.receiveBy = .distantFuture
      requestIsOverdue(slot)
    }
    if now >= times.sendBy {
      streams.slots[slot].times.sendingEnded()
      push(.reset(streams.slots[slot].id, .cancel))
    }
  }

  private mutating func requestIsOverdue(_ slot: Int) {
    if case .http = streams.slots[slot].stage { return answerInHTTP(slot) }
    // The handler ends the call, so that its log matches what the client receives.
    failRequest(slot, error(.requestOverdue))
    touch(slot)
  }
}
