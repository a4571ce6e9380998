import NIOCore

/// Decides on pings, both ways: those of the server that find half-open connections (gRFC A9), and how often
/// the client may send its own (gRFC A8).
struct PingPolicy {
  /// What to do as time passes.
  enum OnTime: Equatable {
    case nothing
    case sendPing
    /// The last ping was not answered.
    case close
  }

  private static let forgivenPings = 2
  /// The least time between pings of a client without calls, if those are not permitted (gRFC A8).
  private static let minTimeWithoutStreams = TimeAmount.hours(2)

  private let time: TimeAmount
  private let timeout: TimeAmount
  private let minTime: TimeAmount
  private let permitWithoutStream: Bool

  private var lastRead: NIODeadline
  private var pingSent: NIODeadline?
  private var lastPing: NIODeadline?
  private var strikes = 0

  init(
    _ keepalive: HTTP2Configuration.Keepalive,
    _ enforcement: HTTP2Configuration.EnforcementPolicy, now: NIODeadline
  ) {
    time = TimeAmount(keepalive.time)
    timeout = TimeAmount(keepalive.timeout)
    minTime = TimeAmount(enforcement.minTime)
    permitWithoutStream = enforcement.permitWithoutStream
    lastRead = now
  }

  /// Anything has arrived.
  mutating func bytesReceived(now: NIODeadline) {
    lastRead = now
    pingSent = nil
  }

  /// When ``timePassed(now:)`` has something to do.
  var wakeup: NIODeadline { pingSent.map { $0 + timeout } ?? lastRead + time }

  mutating func timePassed(now: NIODeadline) -> OnTime {
    guard now >= wakeup else { return .nothing }
    if pingSent != nil { return .close }
    pingSent = now
    return .sendPing
  }

  /// The client has sent a PING. Returns whether that was once too often.
  mutating func pingReceived(hasStreams: Bool, now: NIODeadline) -> Bool {
    defer { lastPing = now }
    let least = hasStreams || permitWithoutStream ? minTime : Self.minTimeWithoutStreams
    // A network may bring two pings a little closer together than they were sent.
    let tolerated = TimeAmount.nanoseconds(least.nanoseconds / 10 * 9)
    guard let lastPing, now < lastPing + tolerated else { return false }
    strikes += 1
    return strikes > Self.forgivenPings
  }

  /// The server has sent HEADERS or DATA, to which clients that probe the bandwidth answer with a PING.
  mutating func responseSent() {
    strikes = 0
    lastPing = nil
  }
}
