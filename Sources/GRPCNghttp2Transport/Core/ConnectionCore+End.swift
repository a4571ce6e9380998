import GRPCCore
import NIOCore

/// The end of the connection.
extension ConnectionCore {
  /// Lets running calls finish, then ends the connection.
  mutating func shutDown(now: NIODeadline) {
    self.now = now
    act(lifetime.shutDown(now: now))
  }

  /// Ends the running calls with `fault`. A client that does not read the messages before the status sees the end of
  /// the connection instead.
  mutating func cutOff(_ fault: CallFault) {
    push(.callsAreCutOff)
    for slot in streams.openSlots {
      if case .http = streams.slots[slot].stage { answerInHTTP(slot) } else { endResponse(slot, fault) }
      cancel(slot)
    }
  }

  /// Records that GOAWAY was submitted; it permits streams up to `last`.
  mutating func goAwaySent(last: Int32) {
    lastStream = last
    act(lifetime.finalSent())
  }

  /// Records that the socket is closed, and cancels every call.
  mutating func lost() {
    guard !end.isLost else { return }
    end.isLost = true
    end.mustClose = true
    for slot in streams.openSlots {
      endCall(slot)
      streams.closed()
      streams.slots[slot].life = .closed
      if !streams.slots[slot].hasTask { forget(slot) }
    }
    waitingForTasks = []
    memory.balance()
    if tasks == 0 { finish() }
  }

  mutating func act(_ action: ConnectionLifetime.Action) {
    switch action {
    case .nothing: break
    case .sendNotice: push(.goAwayNotice)
    case .sendFinal: push(.goAway)
    case .close: end.mustClose = true
    case .abort:
      cutOff(.connectionTooOld)
      fail(.noError, "the connection has exceeded its maximum age and grace time")
    }
  }
}
