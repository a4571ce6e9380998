import NIOCore

/// What is due as time passes.
extension Connection {
  /// A stream has something to do at `time`.
  func wakeupNeeded(at time: NIODeadline) {
    guard time < streamWakeup else { return }
    streamWakeup = time
    onWork()
  }

  /// When ``timePassed(now:)`` has something to do.
  var wakeup: NIODeadline {
    var next = min(pings.wakeup, min(lifetime.wakeup, min(streamWakeup, roomWakeup)))
    if !hasReceivedSettings { next = min(next, startBy) }
    if let incompleteSince { next = min(next, incompleteSince + TimeAmount(configuration.receiveTimeout)) }
    return next
  }

  /// Does what is due.
  func timePassed(now: NIODeadline) {
    self.now = now
    if !hasReceivedSettings, now >= startBy { fail(.protocolError, "no preface and SETTINGS in time") }
    if let incompleteSince, now >= incompleteSince + TimeAmount(configuration.receiveTimeout) {
      fail(.enhanceYourCalm, "a frame was not completed in time")
    }
    switch pings.timePassed(now: now) {
    case .nothing: break
    case .sendPing: session?.submitPing()
    case .close: fail(.noError, "a ping was not answered in time")
    }
    act(lifetime.timePassed(now: now))
    if now >= roomWakeup { endStalled() }
    if now >= streamWakeup { streamTimePassed() }
    onWork()
  }

  private func streamTimePassed() {
    streamWakeup = .distantFuture
    for stream in streams.values {
      stream.timePassed(now: now)
      wakeupNeeded(at: stream.wakeup)
    }
  }
}
