import NIOCore

/// Checks a client's frames by their headers, ahead of nghttp2, which reports only accepted frames.
struct FrameGate {
  private var frames = FrameScanner()
  private var rules: FrameRules
  /// The time since which a frame or a header block is incomplete.
  private(set) var incompleteSince: NIODeadline?

  init(_ configuration: HTTP2Configuration, now: NIODeadline) {
    rules = FrameRules(configuration, now: now)
  }

  /// Whether the client's first SETTINGS have arrived.
  var hasReceivedSettings: Bool { rules.hasReceivedSettings }

  /// How many streams, and gaps between their ids, it keeps.
  var knownStreams: Int { rules.clientStreams.count }

  /// The next time at which ``timePassed(now:)`` has an effect.
  var wakeup: NIODeadline { rules.pings.wakeup }

  /// Checks received bytes. Returns the connection error, if there is one.
  mutating func receive(
    _ bytes: UnsafeRawBufferPointer, streams: borrowing StreamTable, now: NIODeadline
  ) -> ConnectionFault? {
    rules.pings.bytesReceived(now: now)
    var fault: ConnectionFault?
    var began = false
    var rest = bytes[...]
    while let frame = frames.next(in: &rest) {
      began = true
      let judged = rules.judge(frame, streams, now: now)
      if fault == nil { fault = judged }
    }
    // The time of a header block starts with its first frame.
    if !frames.isMidFrame, !rules.isInHeaderBlock {
      incompleteSince = nil
    } else if incompleteSince == nil || (began && !rules.isInHeaderBlock) {
      incompleteSince = now
    }
    return fault
  }

  /// Returns whether the client has acknowledged a PING since the last call.
  mutating func takeAcknowledgement() -> Bool {
    defer { rules.hasAcknowledgement = false }
    return rules.hasAcknowledgement
  }

  /// Returns the PING action that is due at `now`.
  mutating func timePassed(now: NIODeadline) -> PingPolicy.OnTime { rules.pings.timePassed(now: now) }

  /// Records that the server has sent HEADERS or DATA.
  mutating func responseSent() {
    rules.pings.responseSent()
    rules.floods.responseSent()
  }

  /// Records that the server has sent RST_STREAM with an error. Returns the connection error, if there is one.
  mutating func resetSent(now: NIODeadline) -> ConnectionFault? {
    rules.floods.resetSent(now: now).map { ConnectionFault(.enhanceYourCalm, $0.rawValue) }
  }
}

/// The rules for each type of frame, and for how often it may arrive.
private struct FrameRules {
  private(set) var clientStreams = ClientStreams()
  var floods: FloodGuard
  var pings: PingPolicy
  var hasReceivedSettings = false
  var hasAcknowledgement = false
  private(set) var isInHeaderBlock = false

  init(_ configuration: HTTP2Configuration, now: NIODeadline) {
    floods = FloodGuard(configuration.floodLimits, now: now)
    pings = PingPolicy(configuration.keepalive, configuration.enforcementPolicy, now: now)
  }

  mutating func judge(
    _ frame: FrameScanner.Frame, _ streams: borrowing StreamTable, now: NIODeadline
  ) -> ConnectionFault? {
    switch FrameType(rawValue: frame.type) {
    case .data: return data(frame, now: now)
    case .headers:
      isInHeaderBlock = !frame.endsHeaders
      let violation = clientStreams.headersReceived(frame.streamID, endsStream: frame.endsStream)
      if clientStreams.isFull { forgetUnserved(streams) }
      return fault(violation)
    case .priority:
      // nghttp2 is configured to ignore PRIORITY.
      if frame.streamID == 0 || frame.detail == frame.streamID {
        return ConnectionFault(.protocolError, "PRIORITY on stream 0, or dependent on its own stream")
      }
      return fault(floods.idleFrameReceived(now: now))
    case .reset: return reset(of: frame.streamID, streams, now: now)
    case .settings:
      if !frame.isAcknowledgement { hasReceivedSettings = true }
      return fault(floods.idleFrameReceived(now: now))
    case .ping: return ping(frame, hasStreams: streams.openCount > 0, now: now)
    case .windowUpdate:
      if frame.detail == 0 { return ConnectionFault(.protocolError, "WINDOW_UPDATE with an increment of 0") }
      return fault(floods.windowUpdateReceived())
    case .continuation:
      // nghttp2 limits their number.
      if frame.endsHeaders { isInHeaderBlock = false }
      return nil
    case .pushPromise, .goAway, nil: return fault(floods.idleFrameReceived(now: now))
    }
  }

  private mutating func forgetUnserved(_ streams: StreamTable) {
    clientStreams.forget(where: { !streams.isOpen(Int32($0)) })
  }

  private mutating func data(_ frame: FrameScanner.Frame, now: NIODeadline) -> ConnectionFault? {
    if let padding = frame.detail, padding >= frame.length {
      return ConnectionFault(.protocolError, "the padding is longer than the DATA frame")
    }
    if let violation = clientStreams.dataReceived(frame.streamID, endsStream: frame.endsStream) {
      return fault(violation)
    }
    let padding = frame.detail.map { Int($0) + 1 } ?? 0
    guard frame.length == padding else {
      floods.dataReceived()
      return nil
    }
    return frame.endsStream ? nil : fault(floods.idleFrameReceived(now: now))
  }

  private mutating func ping(
    _ frame: FrameScanner.Frame, hasStreams: Bool, now: NIODeadline
  ) -> ConnectionFault? {
    if frame.isAcknowledgement {
      hasAcknowledgement = true
      return fault(floods.idleFrameReceived(now: now))
    }
    guard pings.pingReceived(hasStreams: hasStreams, now: now) else { return nil }
    return ConnectionFault(.enhanceYourCalm, "too_many_pings")
  }

  /// Checks RST_STREAM. A client that cancels calls before their responses causes wasted work (CVE-2023-44487). After
  /// the response, RST_STREAM only states that it sends no more, as grpc-java does for every call that fails early.
  private mutating func reset(
    of id: UInt32, _ streams: borrowing StreamTable, now: NIODeadline
  ) -> ConnectionFault? {
    let mightSend = clientStreams.resetReceived(id)
    // A stream that starts in the same read is not yet known.
    if id > streams.newest || streams.isUnanswered(Int32(id)) {
      return fault(floods.resetReceived(now: now))
    }
    return mightSend ? nil : fault(floods.idleFrameReceived(now: now))
  }

  private func fault(_ flood: FloodGuard.Flood?) -> ConnectionFault? {
    flood.map { ConnectionFault(.enhanceYourCalm, $0.rawValue) }
  }

  private func fault(_ violation: ClientStreams.Violation?) -> ConnectionFault? {
    switch violation {
    case nil: nil
    case .passedOver:
      ConnectionFault(.protocolError, "a stream was opened after one with a higher id")
    case .ended: ConnectionFault(.streamClosed, "a frame on a stream that the client has closed")
    }
  }
}
