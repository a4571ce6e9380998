import CNghttp2
import NIOCore

/// Owns the nghttp2 session of one connection and is the whole of the C boundary.
///
/// Callbacks tell ``Connection`` what happened, which only takes notes: it does not call back into this type,
/// resume a task, or throw. Everything here is confined to the connection's event loop.
struct HTTP2Session: ~Copyable {
  /// An error code of RFC 9113 §7.
  struct ErrorCode: RawRepresentable, Equatable {
    let rawValue: UInt32

    /// Its name in RFC 9113.
    var name: String { String(cString: nghttp2_http2_strerror(rawValue)) }

    static let noError = ErrorCode(rawValue: 0x0)
    static let protocolError = ErrorCode(rawValue: 0x1)
    static let internalError = ErrorCode(rawValue: 0x2)
    static let streamClosed = ErrorCode(rawValue: 0x5)
    static let refusedStream = ErrorCode(rawValue: 0x7)
    static let cancel = ErrorCode(rawValue: 0x8)
    static let enhanceYourCalm = ErrorCode(rawValue: 0xb)
  }

  /// What nghttp2 returned that ends the connection.
  struct Failure: Error {
    let code: Int32

    /// The peer filled the queue of frames to send, or sent too many CONTINUATION frames.
    var isFlood: Bool {
      code == NGHTTP2_ERR_FLOODED.rawValue || code == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue
    }
    var reason: String { String(cString: nghttp2_strerror(code)) }
  }

  private let session: OpaquePointer

  /// A session that tells `connection`, which owns it and must outlive it.
  ///
  /// - Throws: `Failure` when memory is short, the only error of the calls that make a session.
  init(_ connection: Connection, _ configuration: Nghttp2ServerTransport.Configuration) throws(Failure) {
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
    Self.setCallbacks(callbacks)
    let floods = configuration.floodLimits
    // Windows are given back as handlers consume.
    nghttp2_option_set_no_auto_window_update(option, 1)
    nghttp2_option_set_no_closed_streams(option, 1)
    // ``FloodGuard`` counts RST_STREAM: nghttp2 does not tell honest ones from the others.
    nghttp2_option_set_stream_reset_rate_limit(option, .max, .max)
    // ``RequestHead`` judges the fields of requests, and ``Connection`` the order and the length of what follows.
    nghttp2_option_set_no_http_messaging(option, 1)
    nghttp2_option_set_max_continuations(option, floods.continuations)
    nghttp2_option_set_max_outbound_ack(option, floods.outboundAcknowledgements)
    nghttp2_option_set_max_settings(option, floods.settings)
    let code = nghttp2_session_server_new2(
      &session, callbacks, Unmanaged.passUnretained(connection).toOpaque(), option)
    guard code == 0, let session else { throw Failure(code: code) }
    self.session = session
  }

  deinit {
    nghttp2_session_del(session)
  }

  // MARK: Input

  /// Feeds bytes that have arrived; callbacks tell what they meant.
  func receive(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    guard let base = bytes.baseAddress else { return }
    // All bytes, or a fatal error: NGHTTP2_ERR_NOMEM, _CALLBACK_FAILURE, _BAD_CLIENT_MAGIC, _FLOODED
    // (nghttp2.h).
    let result = nghttp2_session_mem_recv(session, base.assumingMemoryBound(to: UInt8.self), bytes.count)
    if result < 0 { throw Failure(code: Int32(result)) }
  }

  /// Gives back the connection's window. NGHTTP2_ERR_NOMEM, the only possible error, will show when sending.
  func consumeConnection(_ count: Int) {
    _ = nghttp2_session_consume_connection(session, count)
  }

  /// Gives back a stream's window; nothing happens if the stream has ended. Errors as in
  /// ``consumeConnection(_:)``.
  func consumeStream(_ id: Int32, _ count: Int) {
    _ = nghttp2_session_consume_stream(session, id, count)
  }

  // MARK: Output

  /// The next frames to send, valid until the next call, or nil if there are none. DATA goes to the
  /// connection by `send_data_callback` and not through here.
  func nextOutput() throws(Failure) -> UnsafeRawBufferPointer? {
    var bytes: UnsafePointer<UInt8>?
    // NGHTTP2_ERR_NOMEM or _CALLBACK_FAILURE; our callbacks don't fail.
    let count = nghttp2_session_mem_send(session, &bytes)
    if count < 0 { throw Failure(code: Int32(count)) }
    return count == 0 ? nil : UnsafeRawBufferPointer(start: bytes, count: count)
  }

  /// Whether both sides have said all that they will.
  var isOver: Bool { nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0 }

  /// Submits the first SETTINGS. The value of MAX_CONCURRENT_STREAMS comes first, so that it is found again.
  func submitSettings(_ configuration: Nghttp2ServerTransport.Configuration, maxConcurrentStreams: UInt32)
    throws(Failure)
  {
    func entry(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
      nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(clamping: value))
    }
    let entries = [
      entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, Int(maxConcurrentStreams)),
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
    let flags = endsStream ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE
    block.withFields { fields, count in
      _ = nghttp2_submit_headers(session, UInt8(flags.rawValue), id, nil, fields, count, nil)
    }
  }

  /// Has nghttp2 ask the connection for the DATA of `stream` until its buffer is empty. One at a time for a
  /// stream.
  func submitData(_ stream: ServerStream, endsStream: Bool) {
    var provider = nghttp2_data_provider()
    // The connection keeps the stream until it is closed, and with it this.
    provider.source.ptr = Unmanaged.passUnretained(stream).toOpaque()
    provider.read_callback = { _, _, _, length, flags, source, user in
      let (count, isLast) = withConnection(user) { connection in
        connection.dataWanted(asking(source), atMost: length)
      }
      flags!.pointee = NGHTTP2_DATA_FLAG_NO_COPY.rawValue | (isLast ? NGHTTP2_DATA_FLAG_EOF.rawValue : 0)
      return count
    }
    let flags = endsStream ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE
    // NGHTTP2_ERR_DATA_EXIST cannot be: the stream submits one at a time. The rest is memory.
    _ = nghttp2_submit_data(session, UInt8(flags.rawValue), stream.id, &provider)
  }

  /// Submits RST_STREAM; nothing happens if the stream has ended.
  func submitReset(_ id: Int32, _ code: ErrorCode) {
    _ = nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, code.rawValue)
  }

  func submitPing() {
    _ = nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
  }

  /// GOAWAY that permits every stream (RFC 9113 §6.8).
  func submitShutdownNotice() {
    _ = nghttp2_submit_shutdown_notice(session)
  }

  /// GOAWAY with the last stream that was accepted. Returns its id.
  @discardableResult
  func submitGoAway(_ code: ErrorCode, _ reason: String) -> Int32 {
    let last = nghttp2_session_get_last_proc_stream_id(session)
    var reason = reason
    reason.withUTF8 { bytes in
      _ = nghttp2_submit_goaway(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, code.rawValue, bytes.baseAddress, bytes.count)
    }
    return last
  }

  // MARK: Callbacks

  private static func setCallbacks(_ callbacks: OpaquePointer?) {
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
      let frame = frame!.pointee
      withConnection(user) {
        $0.headersBegan(frame.hd.stream_id, isRequest: frame.headers.cat == NGHTTP2_HCAT_REQUEST)
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks) {
      _, _, name, nameLength, value, valueLength, _, user in
      let goesOn = withConnection(user) {
        $0.headerReceived(
          UnsafeBufferPointer(start: name, count: nameLength),
          UnsafeBufferPointer(start: value, count: valueLength))
      }
      return goesOn ? 0 : Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
      let header = frame!.pointee.hd
      withConnection(user) { connection in
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue:
          connection.headersReceived(header.stream_id, endsStream: header.flags & 1 != 0)
        case NGHTTP2_DATA.rawValue where header.flags & 1 != 0:
          connection.requestEnded(header.stream_id)
        default: break
        }
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, bytes, length, user in
      withConnection(user) { $0.dataReceived(id, UnsafeRawBufferPointer(start: bytes, count: length)) }
      return 0
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, _, user in
      withConnection(user) { $0.streamClosed(id) }
      return 0
    }
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
      let header = frame!.pointee.hd
      switch UInt32(header.type) {
      case NGHTTP2_HEADERS.rawValue:
        withConnection(user) { $0.headersSent(header.stream_id, endsStream: header.flags & 1 != 0) }
      case NGHTTP2_GOAWAY.rawValue:
        let goAway = frame!.pointee.goaway
        let code = ErrorCode(rawValue: goAway.error_code)
        let reason = UnsafeBufferPointer(start: goAway.opaque_data, count: goAway.opaque_data_len)
        withConnection(user) { $0.goAwaySent(code, String(decoding: reason, as: UTF8.self)) }
      case NGHTTP2_RST_STREAM.rawValue:
        let code = ErrorCode(rawValue: frame!.pointee.rst_stream.error_code)
        withConnection(user) { $0.resetSent(code) }
      default: break
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, _, user in
      let header = frame!.pointee.hd
      if UInt32(header.type) == NGHTTP2_HEADERS.rawValue {
        withConnection(user) { $0.headersNotSent(header.stream_id) }
      }
      return 0
    }
    nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, frame, header, length, source, user in
      let endsStream = frame!.pointee.hd.flags & 1 != 0
      let goesOn = withConnection(user) { connection in
        connection.sendData(
          asking(source), header: UnsafeRawBufferPointer(start: header, count: 9), count: length,
          endsStream: endsStream)
      }
      // The frame has been sent; what follows can wait for the next call.
      return goesOn ? 0 : Int32(NGHTTP2_ERR_PAUSE.rawValue)
    }
  }
}

/// Calls `body` with the connection that a callback is about, which was set when the session was made and is
/// never null. It outlives the session, so that nothing needs to keep it alive meanwhile.
private func withConnection<Result>(
  _ user: UnsafeMutableRawPointer?, _ body: (Connection) -> Result
) -> Result {
  Unmanaged<Connection>.fromOpaque(user!)._withUnsafeGuaranteedRef(body)
}

/// The stream that DATA is asked of; the connection keeps it until it is closed.
private func asking(_ source: UnsafeMutablePointer<nghttp2_data_source>?) -> ServerStream {
  Unmanaged<ServerStream>.fromOpaque(source!.pointee.ptr).takeUnretainedValue()
}
