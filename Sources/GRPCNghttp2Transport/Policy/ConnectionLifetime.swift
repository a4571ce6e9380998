import NIOCore

/// Decides the graceful end of a connection: first a GOAWAY that permits every stream, a round trip later GOAWAY with
/// the last accepted one (RFC 9113 §6.8), then the close once no stream is open.
struct ConnectionLifetime {
  enum Action: Equatable {
    case nothing
    /// Send GOAWAY with the highest stream id, and a PING whose answer means that the client has seen it.
    case sendNotice
    /// Send GOAWAY with the last accepted stream.
    case sendFinal
    /// Close once all output is sent: no stream is open.
    case close
    /// Close now, even with open streams.
    case abort
  }

  private enum State: Equatable {
    case open
    case noticeSent(NIODeadline)
    case finalSent
    case closed
  }

  /// The longest wait for the answer to the PING.
  static let roundTrip = TimeAmount.seconds(1)

  private let idle: TimeAmount?
  private let ageGrace: TimeAmount?
  /// The time of the maximum age; `distantFuture` means never, here and below.
  private let endOfAge: NIODeadline
  private var state = State.open
  private var streams = 0
  private var idleSince: NIODeadline?
  /// Receives the opening of the first stream and the closing of the last; nil for none.
  var idleTime: IdleTime?
  private var abortAt = NIODeadline.distantFuture

  /// - Parameter jitter: the relative variation of the maximum age, from −0.1 to 0.1.
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

  /// Starts the end, unless it has started.
  mutating func shutDown(now: NIODeadline) -> Action {
    guard state == .open else { return .nothing }
    state = .noticeSent(now)
    return .sendNotice
  }

  /// Records that the client has answered the PING of the notice.
  mutating func noticeAcknowledged() -> Action {
    guard case .noticeSent = state else { return .nothing }
    state = .finalSent
    return .sendFinal
  }

  /// Records that the final GOAWAY was submitted.
  mutating func finalSent() -> Action { closeIfDone() }

  private mutating func closeIfDone() -> Action {
    guard state == .finalSent, streams == 0 else { return .nothing }
    state = .closed
    return .close
  }

  /// The next time at which ``timePassed(now:)`` has an effect.
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
