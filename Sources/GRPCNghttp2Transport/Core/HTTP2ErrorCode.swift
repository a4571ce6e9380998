import CNghttp2

/// An error code of RST_STREAM and GOAWAY (RFC 9113 §7).
struct HTTP2ErrorCode: RawRepresentable, Hashable {
  let rawValue: UInt32

  /// The code's name in RFC 9113.
  var name: String { String(cString: nghttp2_http2_strerror(rawValue)) }

  static let noError = HTTP2ErrorCode(rawValue: 0x0)
  static let protocolError = HTTP2ErrorCode(rawValue: 0x1)
  static let internalError = HTTP2ErrorCode(rawValue: 0x2)
  static let streamClosed = HTTP2ErrorCode(rawValue: 0x5)
  static let refusedStream = HTTP2ErrorCode(rawValue: 0x7)
  static let cancel = HTTP2ErrorCode(rawValue: 0x8)
  static let enhanceYourCalm = HTTP2ErrorCode(rawValue: 0xb)
}

/// A connection error: the code and reason of its GOAWAY, which are also logged.
struct ConnectionFault: Equatable {
  let code: HTTP2ErrorCode
  let reason: String

  init(_ code: HTTP2ErrorCode, _ reason: String) {
    self.code = code
    self.reason = reason
  }
}
