import CNghttp2
import NIOCore

/// nghttp2's callbacks, which become events of the ``ConnectionCore`` that is lent to its session (RFC 9113 frame types;
/// nghttp2.h says when each is called). None of them enters nghttp2.
enum SessionCallbacks {
  /// Sets those by which nghttp2 tells what it takes.
  static func setInput(_ callbacks: OpaquePointer?) {
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

  /// Sets those by which nghttp2 asks for DATA, and tells what it sends.
  static func setOutput(_ callbacks: OpaquePointer?) {
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

  /// Says how many bytes of DATA a stream has, of which nghttp2 takes no copy.
  static let readData: nghttp2_data_source_read_callback = { _, id, _, length, flags, _, user in
    let (count, isLast) = withCore(user) { $0.dataWanted(id, atMost: length) }
    flags!.pointee = NGHTTP2_DATA_FLAG_NO_COPY.rawValue | (isLast ? NGHTTP2_DATA_FLAG_EOF.rawValue : 0)
    return count
  }
}

/// Calls `body` with the core that is lent to a session while it takes bytes or sends. There are no callbacks at other
/// times; then there is no core, and this traps.
private func withCore<Result>(
  _ user: UnsafeMutableRawPointer?, _ body: (inout ConnectionCore) -> Result
) -> Result {
  body(&user!.assumingMemoryBound(to: ConnectionCore.self).pointee)
}
