import CNghttp2
import GRPCCore

/// Performs what the core wants of nghttp2: frames to submit, and window to return.
struct FrameSubmitter {
  /// nil once the session is freed: then nothing is submitted any more.
  var session: OpaquePointer?
  private var block = HeaderBlock()

  /// Performs the core's actions up to the next that is not nghttp2's, which it returns; nil if there is none.
  mutating func next(of core: inout ConnectionCore) -> ConnectionAction? {
    while let action = core.nextAction() {
      if !perform(action, &core) { return action }
    }
    return nil
  }

  /// Returns whether the action is one of nghttp2's.
  private mutating func perform(_ action: ConnectionAction, _ core: inout ConnectionCore) -> Bool {
    guard let session else { return action.isForSession }
    switch action {
    case .send(let id, let frame): submit(id, frame, to: session)
    case .reset(let id, let code):
      // Nothing happens if the stream has ended.
      _ = nghttp2_submit_rst_stream(session, Self.noFlags, id, code.rawValue)
    case .returnStreamWindow(let id, let count):
      // Nothing happens if the stream has ended. NGHTTP2_ERR_NOMEM, the only possible error, shows when sending.
      _ = nghttp2_session_consume_stream(session, id, count)
    case .returnConnectionWindow(let count):
      _ = nghttp2_session_consume_connection(session, count)
    case .ping:
      _ = nghttp2_submit_ping(session, Self.noFlags, nil)
    case .goAwayNotice:
      _ = nghttp2_submit_shutdown_notice(session)
      _ = nghttp2_submit_ping(session, Self.noFlags, nil)
    case .goAway:
      core.goAwaySent(last: submitGoAway(ConnectionFault(.noError, ""), to: session))
    case .goAwayFor(let fault):
      submitGoAway(fault, to: session)
    case .answer, .startHandler, .startTaker, .resumeReader, .resumeWriters, .cancel, .closed,
      .callsAreCutOff, .ended:
      return false
    }
    return true
  }

  private static let noFlags = UInt8(NGHTTP2_FLAG_NONE.rawValue)
  private static let endStream = UInt8(NGHTTP2_FLAG_END_STREAM.rawValue)

  private mutating func submit(_ id: Int32, _ frame: ResponseState.Frame, to session: OpaquePointer) {
    switch frame {
    case .data(let endsStream):
      // nghttp2 asks for the DATA of the stream until its buffer is empty. NGHTTP2_ERR_DATA_EXIST cannot be: the core
      // submits one at a time. The rest is memory.
      var provider = nghttp2_data_provider()
      provider.read_callback = SessionCallbacks.readData
      _ = nghttp2_submit_data(session, endsStream ? Self.endStream : Self.noFlags, id, &provider)
    case .plainHeaders: Self.submit(id, .plainHeaders, endsStream: false, to: session)
    case .plainTrailers: Self.submit(id, .plainTrailers, endsStream: true, to: session)
    case .headers, .trailersOnly, .httpHeaders, .trailers:
      block.removeAll()
      let endsStream = block.add(frame)
      Self.submit(id, block, endsStream: endsStream, to: session)
    }
  }

  /// Submits HEADERS: a response's first, or with `endsStream` its last.
  ///
  /// NGHTTP2_ERR_INVALID_ARGUMENT and _PROTO cannot be: the id is the client's. A block that is too large
  /// shows when it is sent, in `on_frame_not_send`. The rest is memory.
  private static func submit(
    _ id: Int32, _ block: HeaderBlock, endsStream: Bool, to session: OpaquePointer
  ) {
    block.withFields { fields, count in
      _ = nghttp2_submit_headers(
        session, endsStream ? endStream : noFlags, id, nil, fields, count, nil)
    }
  }

  /// Submits GOAWAY with the last stream that was accepted. Returns its id.
  @discardableResult
  private func submitGoAway(_ fault: ConnectionFault, to session: OpaquePointer) -> Int32 {
    let last = nghttp2_session_get_last_proc_stream_id(session)
    var reason = fault.reason
    reason.withUTF8 { bytes in
      _ = nghttp2_submit_goaway(
        session, Self.noFlags, last, fault.code.rawValue, bytes.baseAddress, bytes.count)
    }
    return last
  }
}
