import GRPCCore
import NIOCore

/// How the connection ends.
extension ConnectionCore {
  /// Lets running calls finish, and ends then.
  mutating func shutDown(now: NIODeadline) {
    self.now = now
    act(lifetime.shutDown(now: now))
  }

  /// Ends the calls that still run with `fault`. A client that does not read what comes before its status hears of the end
  /// of the connection instead.
  mutating func cutOff(_ fault: CallFault) {
    push(.callsAreCutOff)
    for slot in streams.openSlots {
      if case .http = streams[slot].stage { answerInHTTP(slot) } else { endResponse(slot, fault) }
      cancel(slot)
    }
  }

  /// GOAWAY has been submitted that permits streams up to `last`.
  mutating func goAwaySent(last: Int32) {
    lastStream = last
    act(lifetime.finalSent())
  }

  /// The socket is gone: every call is cancelled.
  mutating func lost() {
    guard !end.isLost else { return }
    end.isLost = true
    end.mustClose = true
    for slot in streams.openSlots {
      endCall(slot)
      streams.closed()
      streams[slot].life = .closed
      if !streams[slot].hasTask { forget(slot) }
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
      fail(.noError, "the connection's age and its grace are over")
    }
  }
}
