import NIOCore

/// Judges a client's frames by their headers, ahead of nghttp2, which tells only of those that it accepts.
struct FrameGate {
  private var frames = FrameScanner()
  private var rules: FrameRules
  /// Since when a frame or a header block is incomplete.
  private(set) var incompleteSince: NIODeadline?

  init(_ configuration: HTTP2Configuration, now: NIODeadline) {
    rules = FrameRules(configuration, now: now)
  }

  /// Whether the client's first SETTINGS have come.
  var hasReceivedSettings: Bool { rules.hasReceivedSettings }

  /// How many streams, and gaps between their ids, it keeps.
  var knownStreams: Int { rules.clientStreams.count }

  /// When ``timePassed(now:)`` has something to do.
  var wakeup: NIODeadline { rules.pings.wakeup }

  /// Judges bytes that have arrived. Returns why the connection ends, if it does.
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
    // A header block counts from its first frame, whatever follows.
    if !frames.isMidFrame, !rules.isInHeaderBlock {
      incompleteSince = nil
    } else if incompleteSince == nil || (began && !rules.isInHeaderBlock) {
      incompleteSince = now
    }
    return fault
  }

  /// Whether the client has acknowledged a PING since this was asked last.
  mutating func takeAcknowledgement() -> Bool {
    defer { rules.hasAcknowledgement = false }
    return rules.hasAcknowledgement
  }

  /// What is due for pings as time passes.
  mutating func timePassed(now: NIODeadline) -> PingPolicy.OnTime { rules.pings.timePassed(now: now) }

  /// The server has sent HEADERS or DATA.
  mutating func responseSent() {
    rules.pings.responseSent()
    rules.floods.responseSent()
  }

  /// The server has sent RST_STREAM with an error. Returns why the connection ends, if it does.
  mutating func resetSent(now: NIODeadline) -> ConnectionFault? {
    rules.floods.resetSent(now: now).map { ConnectionFault(.enhanceYourCalm, $0.rawValue) }
  }
}

/// What each kind of frame may be, and how often it may come.
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
      // nghttp2 ignores it, as we tell it to.
      if frame.streamID == 0 || frame.detail == frame.streamID {
        return ConnectionFault(.protocolError, "PRIORITY on the connection, or on itself")
      }
      return fault(floods.idleFrameReceived(now: now))
    case .reset: return reset(of: frame.streamID, streams, now: now)
    case .settings:
      if !frame.isAcknowledgement { hasReceivedSettings = true }
      return fault(floods.idleFrameReceived(now: now))
    case .ping: return ping(frame, hasStreams: streams.openCount > 0, now: now)
    case .windowUpdate:
      if frame.detail == 0 { return ConnectionFault(.protocolError, "WINDOW_UPDATE by nothing") }
      return fault(floods.windowUpdateReceived())
    case .continuation:
      // nghttp2 counts them.
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
      return ConnectionFault(.protocolError, "more padding than DATA")
    }
    if let violation = clientStreams.dataReceived(frame.streamID, endsStream: frame.endsStream) {
      return fault(violation)
    }
    let padding = frame.detail.map { Int($0) + 1 } ?? 0
    guard frame.length == padding, !frame.endsStream else { return nil }
    return fault(floods.idleFrameReceived(now: now))
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

  /// A client that ends a call before its response has ended makes work for nothing (CVE-2023-44487). Afterwards
  /// RST_STREAM only says that it sends no more, as grpc-java does of each call that fails early.
  private mutating func reset(
    of id: UInt32, _ streams: borrowing StreamTable, now: NIODeadline
  ) -> ConnectionFault? {
    let mightSend = clientStreams.resetReceived(id)
    // A stream that begins in the same read is not known yet.
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
    case .ended: ConnectionFault(.streamClosed, "a frame on a stream that the client has ended")
    }
  }
}
