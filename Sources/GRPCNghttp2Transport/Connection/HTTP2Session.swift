import CNghttp2
import NIOCore

/// Joins the nghttp2 session of one connection to its ``ConnectionCore``. With ``SessionCallbacks`` and ``FrameSubmitter`` it
/// is the whole of the C boundary.
///
/// The core is lent to nghttp2's callbacks while nghttp2 takes bytes or sends: exclusivity is checked once for all of them.
/// Confined to the connection's event loop.
final class HTTP2Session {
  /// An error of nghttp2 that ends the connection.
  struct Failure: Error {
    let code: Int32

    /// The peer filled the queue of frames to send, or sent too many CONTINUATION frames.
    var isFlood: Bool {
      code == NGHTTP2_ERR_FLOODED.rawValue || code == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue
    }
    var reason: String { String(cString: nghttp2_strerror(code)) }
  }

  /// What decides.
  var core: ConnectionCore
  /// nil before ``open()`` and after ``close()``.
  private var session: OpaquePointer?
  private var submitter = FrameSubmitter()
  private var hasSentSettings = false

  /// Creates a session for `core`, to be opened with ``open()``.
  init(_ core: ConnectionCore) {
    self.core = core
  }

  deinit {
    close()
    core.memory.release()
  }

  /// Opens the session, and submits SETTINGS.
  ///
  /// - Throws: `Failure` if memory is exhausted, or a configured value is outside the protocol's range.
  func open() throws(Failure) {
    let session = try Self.makeSession(core.configuration)
    self.session = session
    submitter.session = session
    try submitSettings(core.configuration, to: session)
  }

  /// Frees the session. Later calls do nothing.
  func close() {
    if let session { nghttp2_session_del(session) }
    session = nil
    submitter.session = nil
  }

  private static func makeSession(_ configuration: HTTP2Configuration) throws(Failure) -> OpaquePointer {
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
    SessionCallbacks.setInput(callbacks)
    SessionCallbacks.setOutput(callbacks)
    let floods = configuration.floodLimits
    // The windows are returned as handlers read.
    nghttp2_option_set_no_auto_window_update(option, 1)
    nghttp2_option_set_no_closed_streams(option, 1)
    // ``FloodGuard`` counts RST_STREAM, because nghttp2 does not distinguish legitimate frames.
    nghttp2_option_set_stream_reset_rate_limit(option, .max, .max)
    // ``RequestHead`` checks the fields of requests, and ``FrameGate`` the order and length of frames.
    nghttp2_option_set_no_http_messaging(option, 1)
    nghttp2_option_set_max_continuations(option, floods.continuations)
    nghttp2_option_set_max_outbound_ack(option, floods.outboundAcknowledgements)
    nghttp2_option_set_max_settings(option, floods.settings)
    // NGHTTP2_ERR_NOMEM.
    let code = nghttp2_session_server_new2(&session, callbacks, nil, option)
    guard code == 0, let session else { throw Failure(code: code) }
    return session
  }

  /// Calls `body` with the core, which nghttp2's callbacks have meanwhile.
  private func lend<Result>(
    to session: OpaquePointer, _ body: (UnsafeMutablePointer<ConnectionCore>) -> Result
  ) -> Result {
    withUnsafeMutablePointer(to: &core) { core in
      nghttp2_session_set_user_data(session, core)
      defer { nghttp2_session_set_user_data(session, nil) }
      return body(core)
    }
  }

  /// Takes bytes that have arrived, first the core and then nghttp2.
  func receive(_ bytes: UnsafeRawBufferPointer, now: NIODeadline) {
    guard let session, let base = bytes.baseAddress else { return }
    lend(to: session) { core in
      if core.pointee.bytesReceived(bytes, now: now) {
        // All bytes, or a fatal error: NGHTTP2_ERR_NOMEM, _CALLBACK_FAILURE, _BAD_CLIENT_MAGIC, _FLOODED (nghttp2.h).
        let result = nghttp2_session_mem_recv(session, base.assumingMemoryBound(to: UInt8.self), bytes.count)
        if result < 0 { Self.fail(&core.pointee, Failure(code: Int32(result))) }
      }
      core.pointee.bytesTaken()
    }
  }

  private static func fail(_ core: inout ConnectionCore, _ failure: Failure) {
    core.fail(failure.isFlood ? .enhanceYourCalm : .protocolError, failure.reason)
  }

  /// Performs the core's actions up to the next that is not nghttp2's, which it returns; nil if there is none.
  func nextCallAction() -> ConnectionAction? { submitter.next(of: &core) }

  /// Gathers frames in the core's output until it has as much as it wants, or nghttp2 has no more.
  func send() {
    guard let session else { return }
    lend(to: session) { core in
      while core.pointee.wantsOutput {
        var bytes: UnsafePointer<UInt8>?
        // DATA goes there by `send_data_callback`. NGHTTP2_ERR_NOMEM or _CALLBACK_FAILURE; our callbacks don't fail.
        let count = nghttp2_session_mem_send(session, &bytes)
        if count < 0 { Self.fail(&core.pointee, Failure(code: Int32(count))) }
        if count <= 0 { return }
        let frames = UnsafeRawBufferPointer(start: bytes, count: count)
        core.pointee.output.writeBytes(frames)
        if !hasSentSettings { announceStreamLimit(of: frames, &core.pointee) }
      }
    }
  }

  /// The stream limit that nghttp2 enforces. nghttp2 ends the connection of a client that exceeds the limit in
  /// SETTINGS (nghttp2 issue 687). SETTINGS therefore announce the configured limit instead, and the core refuses the
  /// excess.
  private static func hardStreamLimit(_ configuration: HTTP2Configuration) -> UInt32 {
    UInt32(clamping: configuration.maxConcurrentStreams) &* 2 &+ 1_000
  }

  /// Overwrites the stream limit in the first frame, SETTINGS, with the configured one. MAX_CONCURRENT_STREAMS is the
  /// first setting; its value follows 9 bytes of header and 2 of the id.
  private func announceStreamLimit(of frame: UnsafeRawBufferPointer, _ core: inout ConnectionCore) {
    hasSentSettings = true
    guard frame.count >= 15, frame[3] == FrameType.settings.rawValue else { return }
    let limit = UInt32(clamping: core.configuration.maxConcurrentStreams)
    core.output.setInteger(limit, at: core.output.readerIndex + 11)
  }

  /// Whether neither side will send more.
  var isFinished: Bool {
    guard let session else { return true }
    return nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
  }

  /// Submits the first SETTINGS. MAX_CONCURRENT_STREAMS comes first, where ``announceStreamLimit(of:_:)`` expects it.
  private func submitSettings(
    _ configuration: HTTP2Configuration, to session: OpaquePointer
  ) throws(Failure) {
    func entry(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
      nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(clamping: value))
    }
    let entries = [
      entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, Int(Self.hardStreamLimit(configuration))),
      entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, configuration.initialWindowSize),
      entry(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, configuration.maxFrameSize),
      entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, configuration.maxHeaderListSize),
      // RFC 9113 deprecates the priorities of RFC 7540; without them nghttp2 keeps no priority tree.
      entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
    ]
    // NGHTTP2_ERR_INVALID_ARGUMENT for a configured value outside the protocol's range, or _NOMEM.
    var code = nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
    if code == 0 {
      code = nghttp2_session_set_local_window_size(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0,
        Int32(clamping: configuration.initialConnectionWindowSize))
    }
    if code != 0 { throw Failure(code: code) }
  }
}
