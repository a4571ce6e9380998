import CNghttp2
import NIOCore

/// Joins the nghttp2 session of one connection to its ``ConnectionCore``, and is the whole of the C boundary.
///
/// Callbacks tell the core what happened, which only notes what is to be done: it does not call back into this type.
/// Confined to the connection's event loop.
final class HTTP2Session {
  /// What nghttp2 returned that ends the connection.
  struct Failure: Error {
    let code: Int32

    /// The peer filled the queue of frames to send, or sent too many CONTINUATION frames.
    var isFlood: Bool {
      code == NGHTTP2_ERR_FLOODED.rawValue || code == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue
    }
    var reason: String { String(cString: nghttp2_strerror(code)) }
  }

  /// What decides. One access at a time: an event, or what comes of it.
  var core: ConnectionCore
  /// nil before ``open()`` and after ``close()``.
  private var session: OpaquePointer?
  private var hasSentSettings = false

  /// A session for the decisions of `core`, which is not open yet.
  init(_ core: ConnectionCore) {
    self.core = core
  }

  deinit {
    close()
    core.memory.release()
  }

  /// Opens the session, and submits SETTINGS.
  ///
  /// - Throws: `Failure` when memory is short, or a configured value is out of the protocol's range.
  func open() throws(Failure) {
    session = try Self.makeSession(Unmanaged.passUnretained(self).toOpaque(), core.configuration)
    try submitSettings(core.configuration)
  }

  /// Frees the session; nothing is sent or received any more.
  func close() {
    if let session { nghttp2_session_del(session) }
    session = nil
  }

  private static func makeSession(
    _ user: UnsafeMutableRawPointer, _ configuration: HTTP2Configuration
  ) throws(Failure) -> OpaquePointer {
    var callbacks: OpaquePointer?
    var option: OpaquePointer?
    var session: OpaquePointer?
    guard nghttp2_session_callbacks_new(&callbacks) == 0, nghttp2_option_new(&option) == 0 else {
      nghttp2_session_callbacks_del(callbacks)
      throw Failure(code: Int32(NGHTTP2_ERR_NOMEM.rawValue))
    }
    defer {
      nghttp2_session_callbacks_del(callbacks)
      nghttp2_option_del(option)
    }
    setInputCallbacks(callbacks)
    setOutputCallbacks(callbacks)
    let floods = configuration.floodLimits
    // Windows are given back as handlers consume.
    nghttp2_option_set_no_auto_window_update(option, 1)
    nghttp2_option_set_no_closed_streams(option, 1)
    // ``FloodGuard`` counts RST_STREAM: nghttp2 does not tell honest ones from the others.
    nghttp2_option_set_stream_reset_rate_limit(option, .max, .max)
    // ``RequestHead`` judges the fields of requests, and ``FrameGate`` the order and the length of what follows.
    nghttp2_option_set_no_http_messaging(option, 1)
    nghttp2_option_set_max_continuations(option, floods.continuations)
    nghttp2_option_set_max_outbound_ack(option, floods.outboundAcknowledgements)
    nghttp2_option_set_max_settings(option, floods.settings)
    // NGHTTP2_ERR_NOMEM.
    let code = nghttp2_session_server_new2(&session, callbacks, user, option)
    guard code == 0, let session else { throw Failure(code: code) }
    return session
  }

  // MARK: Input

  /// Feeds bytes that have arrived; callbacks tell what they meant.
  func receive(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    guard let session, let base = bytes.baseAddress else { return }
    // All bytes, or a fatal error: NGHTTP2_ERR_NOMEM, _CALLBACK_FAILURE, _BAD_CLIENT_MAGIC, _FLOODED
    // (nghttp2.h).
    let result = nghttp2_session_mem_recv(session, base.assumingMemoryBound(to: UInt8.self), bytes.count)
    if result < 0 { throw Failure(code: Int32(result)) }
  }

  /// Gives back the connection's window. NGHTTP2_ERR_NOMEM, the only possible error, will show when sending.
  func returnConnectionWindow(_ count: Int) {
    guard let session else { return }
    _ = nghttp2_session_consume_connection(session, count)
  }

  /// Gives back a stream's window; nothing happens if the stream has ended. Errors as in
  /// ``returnConnectionWindow(_:)``.
  func returnStreamWindow(_ id: Int32, _ count: Int) {
    guard let session else { return }
    _ = nghttp2_session_consume_stream(session, id, count)
  }

  // MARK: Output

  /// Gathers the next frames in the core's output. DATA goes there by `send_data_callback`. Returns whether there were any.
  func sendNext() throws(Failure) -> Bool {
    guard let session else { return false }
    var bytes: UnsafePointer<UInt8>?
    // NGHTTP2_ERR_NOMEM or _CALLBACK_FAILURE; our callbacks don't fail.
    let count = nghttp2_session_mem_send(session, &bytes)
    if count < 0 { throw Failure(code: Int32(count)) }
    if count == 0 { return false }
    core.output.writeBytes(UnsafeRawBufferPointer(start: bytes, count: count))
    announceStreamLimit(of: UnsafeBufferPointer(start: bytes, count: count))
    return true
  }

  /// How many streams nghttp2 permits. It ends the connection of a client that exceeds what SETTINGS said (nghttp2 issue
  /// 687), so SETTINGS are sent with our own limit in its place, and the core refuses the excess.
  private var hardStreamLimit: UInt32 {
    UInt32(clamping: core.configuration.maxConcurrentStreams) &* 2 &+ 1_000
  }

  /// Writes our own limit over nghttp2's in the first frame: SETTINGS, whose first setting is MAX_CONCURRENT_STREAMS: 9
  /// bytes of header, 2 of the id.
  private func announceStreamLimit(of frame: UnsafeBufferPointer<UInt8>) {
    guard !hasSentSettings else { return }
    hasSentSettings = true
    guard frame.count >= 15, frame[3] == FrameType.settings.rawValue else { return }
    let limit = UInt32(clamping: core.configuration.maxConcurrentStreams)
    core.output.setInteger(limit, at: core.output.readerIndex + 11)
  }

  /// Whether both sides have said all that they will.
  var isOver: Bool {
    guard let session else { return true }
    return nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
  }

  /// Submits the first SETTINGS. The value of MAX_CONCURRENT_STREAMS comes first, so that it is found again.
  private func submitSettings(_ configuration: HTTP2Configuration) throws(Failure) {
    guard let session else { return }
    func entry(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
      nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(clamping: value))
    }
    let entries = [
      entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, Int(hardStreamLimit)),
      entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, configuration.initialWindowSize),
      entry(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, configuration.maxFrameSize),
      entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, configuration.maxHeaderListSize),
      // Priorities of RFC 7540 are gone with RFC 9113; without them nghttp2 keeps no tree.
      entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
    ]
    // NGHTTP2_ERR_INVALID_ARGUMENT: a configured value is out of the protocol's range. _NOMEM.
    var code = nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
    if code == 0 {
      code = nghttp2_session_set_local_window_size(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0,
        Int32(clamping: configuration.initialConnectionWindowSize))
    }
    if code != 0 { throw Failure(code: code) }
  }

  /// Submits HEADERS: a response's first, or with `endsStream` its last.
  ///
  /// NGHTTP2_ERR_INVALID_ARGUMENT and _PROTO cannot be: the id is the client's. A block that is too large
  /// shows when it is sent, in `on_frame_not_send`. The rest is memory.
  func submitHeaders(_ id: Int32, _ block: HeaderBlock, endsStream: Bool) {
    guard let session else { return }
    let flags = endsStream ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE
    block.withFields { fields, count in
      _ = nghttp2_submit_headers(session, UInt8(flags.rawValue), id, nil, fields, count, nil)
    }
  }

  /// Has nghttp2 ask for the DATA of a stream until its buffer is empty. One at a time for a stream.
  func submitData(_ id: Int32, endsStream: Bool) {
    guard let session else { return }
    var provider = nghttp2_data_provider()
    provider.read_callback = { _, id, _, length, flags, _, user in
      let (count, isLast) = withCore(user) { $0.dataWanted(id, atMost: length) }
      flags!.pointee = NGHTTP2_DATA_FLAG_NO_COPY.rawValue | (isLast ? NGHTTP2_DATA_FLAG_EOF.rawValue : 0)
      return count
    }
    let flags = endsStream ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE
    // NGHTTP2_ERR_DATA_EXIST cannot be: the core submits one at a time. The rest is memory.
    _ = nghttp2_submit_data(session, UInt8(flags.rawValue), id, &provider)
  }

  /// Submits RST_STREAM; nothing happens if the stream has ended.
  func submitReset(_ id: Int32, _ code: HTTP2ErrorCode) {
    guard let session else { return }
    _ = nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, code.rawValue)
  }

  func submitPing() {
    guard let session else { return }
    _ = nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
  }

  /// Submits GOAWAY that permits every stream (RFC 9113 §6.8).
  func submitShutdownNotice() {
    guard let session else { return }
    _ = nghttp2_submit_shutdown_notice(session)
  }

  /// Submits GOAWAY with the last stream that was accepted. Returns its id; nil if the session is closed.
  @discardableResult
  func submitGoAway(_ code: HTTP2ErrorCode, _ reason: String) -> Int32? {
    guard let session else { return nil }
    let last = nghttp2_session_get_last_proc_stream_id(session)
    var reason = reason
    reason.withUTF8 { bytes in
      _ = nghttp2_submit_goaway(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, code.rawValue, bytes.baseAddress, bytes.count)
    }
    return last
  }

  // MARK: Callbacks

  private static func setInputCallbacks(_ callbacks: OpaquePointer?) {
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
      let frame = frame!.pointee
      withCore(user) {
        $0.headersBegan(frame.hd.stream_id, isRequest: frame.headers.cat == NGHTTP2_HCAT_REQUEST)
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks) {
      _, _, name, nameLength, value, valueLength, _, user in
      let goesOn = withCore(user) {
        $0.headerReceived(
          UnsafeBufferPointer(start: name, count: nameLength),
          UnsafeBufferPointer(start: value, count: valueLength))
      }
      return goesOn ? 0 : Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
      let header = frame!.pointee.hd
      withCore(user) { core in
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue:
          core.headersReceived(header.stream_id, endsStream: header.flags & 1 != 0)
        case NGHTTP2_DATA.rawValue where header.flags & 1 != 0:
          core.requestEnded(header.stream_id)
        default: break
        }
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, bytes, length, user in
      withCore(user) { $0.dataReceived(id, UnsafeRawBufferPointer(start: bytes, count: length)) }
      return 0
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, _, user in
      withCore(user) { $0.streamClosed(id) }
      return 0
    }
  }

  private static func setOutputCallbacks(_ callbacks: OpaquePointer?) {
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
      let header = frame!.pointee.hd
      switch UInt32(header.type) {
      case NGHTTP2_HEADERS.rawValue:
        withCore(user) { $0.headersSent(header.stream_id, endsStream: header.flags & 1 != 0) }
      case NGHTTP2_GOAWAY.rawValue:
        let goAway = frame!.pointee.goaway
        let code = HTTP2ErrorCode(rawValue: goAway.error_code)
        let reason = UnsafeBufferPointer(start: goAway.opaque_data, count: goAway.opaque_data_len)
        withCore(user) { $0.sessionFailed(code, String(decoding: reason, as: UTF8.self)) }
      case NGHTTP2_RST_STREAM.rawValue:
        let code = HTTP2ErrorCode(rawValue: frame!.pointee.rst_stream.error_code)
        withCore(user) { $0.resetSent(code) }
      default: break
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, _, user in
      let header = frame!.pointee.hd
      if UInt32(header.type) == NGHTTP2_HEADERS.rawValue {
        withCore(user) { $0.headersNotSent(header.stream_id) }
      }
      return 0
    }
    nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, frame, header, length, _, user in
      let id = frame!.pointee.hd.stream_id
      let endsStream = frame!.pointee.hd.flags & 1 != 0
      let goesOn = withCore(user) {
        $0.dataSent(
          id, header: UnsafeRawBufferPointer(start: header, count: 9), count: length, endsStream: endsStream)
      }
      // The frame has been sent; what follows can wait for the next call.
      return goesOn ? 0 : Int32(NGHTTP2_ERR_PAUSE.rawValue)
    }
  }
}

/// Calls `body` with the core of the session that a callback is about, which was set when it was made and is never null. The
/// session outlives its callbacks, so that nothing needs to keep it alive meanwhile.
private func withCore<Result>(
  _ user: UnsafeMutableRawPointer?, _ body: (inout ConnectionCore) -> Result
) -> Result {
  Unmanaged<HTTP2Session>.fromOpaque(user!)._withUnsafeGuaranteedRef { body(&$0.core) }
}
