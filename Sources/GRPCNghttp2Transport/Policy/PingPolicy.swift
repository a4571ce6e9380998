import NIOCore

/// Decides about pings: when the server pings to detect a half-open connection (gRFC A9), and how often the client
/// may ping (gRFC A8).
struct PingPolicy {
  /// The action that is due.
  enum OnTime: Equatable {
    case nothing
    case sendPing
    /// Close the connection: the last ping was not answered.
    case close
  }

  private static let forgivenPings = 2
  /// The shortest interval between pings of a client without calls, if those are not permitted (gRFC A8).
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

  /// Records received bytes.
  mutating func bytesReceived(now: NIODeadline) {
    lastRead = now
    pingSent = nil
  }

  /// The next time at which ``timePassed(now:)`` has an effect.
  var wakeup: NIODeadline { pingSent.map { $0 + timeout } ?? lastRead + time }

  mutating func timePassed(now: NIODeadline) -> OnTime {
    guard now >= wakeup else { return .nothing }
    if pingSent != nil { return .close }
    pingSent = now
    return .sendPing
  }

  /// Records a PING of the client. Returns whether it is one too many.
  mutating func pingReceived(hasStreams: Bool, now: NIODeadline) -> Bool {
    defer { lastPing = now }
    let least = hasStreams || permitWithoutStream ? minTime : Self.minTimeWithoutStreams
    // Network delays may bring two pings slightly closer together than they were sent.
    let tolerated = TimeAmount.nanoseconds(least.nanoseconds / 10 * 9)
    guard let lastPing, now < lastPing + tolerated else { return false }
    strikes += 1
    return strikes > Self.forgivenPings
  }

  /// Records that the server has sent HEADERS or DATA, to which clients that measure the bandwidth respond with a
  /// PING.
  mutating func responseSent() {
    strikes = 0
    lastPing = nil
  }
}
