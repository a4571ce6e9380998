import GRPCCore
import NIOCore

/// What is due as time passes.
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

  /// Does what is due.
  mutating func timePassed(now: NIODeadline) {
    self.now = now
    if !gate.hasReceivedSettings, now >= startBy { fail(.protocolError, "no preface and SETTINGS in time") }
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

  /// Ends the call if its deadline has passed, or the client has been too slow with its request or in reading the response.
  /// Its connection goes on: behind a proxy its other calls are other clients'.
  private mutating func timePassed(_ slot: Int) {
    let times = streams[slot].times
    if now >= times.deadline {
      streams[slot].times.deadline = .distantFuture
      if streams[slot].output.readableBytes == 0 {
        endResponse(slot, .deadlinePassed)
      } else {
        // Messages that the client has not taken are before the status.
        push(.reset(streams[slot].id, .cancel))
      }
      cancel(slot)
    }
    if now >= times.receiveBy {
      streams[slot].times.receiveBy = .distantFuture
      requestIsOverdue(slot)
    }
    if now >= times.sendBy {
      streams[slot].times.sendingEnded()
      push(.reset(streams[slot].id, .cancel))
    }
  }

  private mutating func requestIsOverdue(_ slot: Int) {
    if case .http = streams[slot].stage { return answerInHTTP(slot) }
    // The handler ends the call, so that what it logs is what the client gets.
    failRequest(slot, error(.requestOverdue))
    touch(slot)
  }
}
