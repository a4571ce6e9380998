import NIOCore

/// Decides when a connection ends in good order: GOAWAY that permits every stream, a round trip later GOAWAY
/// with the last one (RFC 9113 §6.8), then the end once no stream runs.
struct ConnectionLifetime {
  enum Action: Equatable {
    case nothing
    /// GOAWAY with the highest stream id, and a PING whose answer means that the client has seen it.
    case sendNotice
    /// GOAWAY with the last stream that was accepted.
    case sendFinal
    /// No stream runs: close once everything has been sent.
    case close
    /// Close now, whatever runs.
    case abort
  }

  private enum State: Equatable {
    case open
    case noticeSent(NIODeadline)
    case finalSent
    case closed
  }

  /// How long the answer to the PING may take.
  static let roundTrip = TimeAmount.seconds(1)

  private let idle: TimeAmount?
  private let ageGrace: TimeAmount?
  /// `distantFuture` is never, here and below.
  private let endOfAge: NIODeadline
  private var state = State.open
  private var streams = 0
  private var idleSince: NIODeadline?
  /// Told when the first stream opens and the last one closes; nil for no one.
  var idleTime: IdleTime?
  private var abortAt = NIODeadline.distantFuture

  /// - Parameter jitter: −0.1 to 0.1, by which the greatest age differs.
  init(_ keepalive: HTTP2Configuration.Keepalive, jitter: Double, now: NIODeadline) {
    idle = keepalive.maxConnectionIdle.map { TimeAmount($0) }
    ageGrace = keepalive.maxConnectionAgeGrace.map { TimeAmount($0) }
    endOfAge = keepalive.maxConnectionAge.map { now + TimeAmount($0 * (1 + jitter)) } ?? .distantFuture
    idleSince = now
  }

  mutating func streamOpened() {
    streams += 1
    idleSince = nil
    if streams == 1 { idleTime?.becameBusy() }
  }

  mutating func streamClosed(now: NIODeadline) -> Action {
    streams -= 1
    guard streams == 0 else { return .nothing }
    idleSince = now
    idleTime?.becameIdle(now: now)
    return closeIfDone()
  }

  /// Begins the end, if it has not begun.
  mutating func shutDown(now: NIODeadline) -> Action {
    guard state == .open else { return .nothing }
    state = .noticeSent(now)
    return .sendNotice
  }

  /// The client has answered the PING of the notice.
  mutating func noticeAcknowledged() -> Action {
    guard case .noticeSent = state else { return .nothing }
    state = .finalSent
    return .sendFinal
  }

  /// The last GOAWAY is on its way.
  mutating func finalSent() -> Action { closeIfDone() }

  private mutating func closeIfDone() -> Action {
    guard state == .finalSent, streams == 0 else { return .nothing }
    state = .closed
    return .close
  }

  /// When ``timePassed(now:)`` has something to do.
  var wakeup: NIODeadline {
    switch state {
    case .open: min(endOfAge, endOfIdleness)
    case .noticeSent(let sent): min(sent + Self.roundTrip, abortAt)
    case .finalSent, .closed: abortAt
    }
  }

  private var endOfIdleness: NIODeadline {
    guard let idle, let idleSince else { return .distantFuture }
    return idleSince + idle
  }

  mutating func timePassed(now: NIODeadline) -> Action {
    if now >= abortAt {
      state = .closed
      return .abort
    }
    switch state {
    case .open:
      if now >= endOfAge { abortAt = ageGrace.map { now + $0 } ?? .distantFuture }
      return now >= min(endOfAge, endOfIdleness) ? shutDown(now: now) : .nothing
    case .noticeSent(let sent):
      return now >= sent + Self.roundTrip ? noticeAcknowledged() : .nothing
    case .finalSent, .closed:
      return .nothing
    }
  }
}
