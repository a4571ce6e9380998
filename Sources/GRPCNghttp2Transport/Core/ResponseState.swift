import GRPCCore

/// The progress of a response, which determines its next frame.
struct ResponseState {
  /// A frame to submit. The usual ones are small, and have nothing to release.
  enum Frame {
    /// HEADERS without metadata, before uncompressed messages.
    case plainHeaders
    indirect case headers(Metadata, MessageEncoding)
    /// HEADERS that end the stream and contain only the status.
    indirect case trailersOnly(httpStatus: Int, Status, Metadata)
    /// HEADERS of a plain HTTP response.
    indirect case httpHeaders(status: Int, endsStream: Bool)
    /// DATA, which nghttp2 requests in portions until all is sent.
    case data(endsStream: Bool)
    /// Trailers with status OK, without message and metadata.
    case plainTrailers
    indirect case trailers(Status, Metadata)
  }

  /// The last frame that was submitted.
  private enum Progress: Equatable {
    case nothing
    case headers
    /// DATA that nghttp2 is requesting.
    case sendingData
    /// The frame that ends the stream, submitted.
    case end
    /// The frame that ends the stream, sent.
    case endSent
  }

  /// The end of the response, once known.
  private enum Outcome {
    case open
    /// Status OK, without message and metadata.
    case ok
    case status(Status, Metadata)
    /// A plain HTTP response.
    case http
  }

  private var progress = Progress.nothing
  private var outcome = Outcome.open
  private var initial: Metadata?
  private var hasMessages = false
  private var httpStatus = 200

  /// Whether the end of the response is known, sent or not.
  var hasStatus: Bool { if case .open = outcome { false } else { true } }

  /// Whether the frame that ends the stream has been sent.
  var hasEnded: Bool { progress == .endSent }

  /// Sets the initial metadata.
  mutating func metadata(_ metadata: Metadata) { initial = metadata }

  /// Records that the response has a message.
  mutating func message() { hasMessages = true }

  /// Sets the status that ends the response.
  mutating func status(_ status: Status, _ metadata: Metadata) {
    let isPlain = status.code == .ok && status.message.isEmpty && metadata.isEmpty
    outcome = isPlain ? .ok : .status(status, metadata)
  }

  /// Makes the response a single message with status OK.
  mutating func unary() {
    hasMessages = true
    outcome = .ok
  }

  /// Sets the `:status` of a gRPC response, which is 200 by default.
  mutating func setHTTPStatus(_ httpStatus: Int) { self.httpStatus = httpStatus }

  /// Makes the response a plain HTTP response.
  mutating func refuse(httpStatus: Int) {
    self.httpStatus = httpStatus
    outcome = .http
  }

  /// Returns the next frame, which then counts as submitted, or nil if none is due. `buffered` bytes of messages wait
  /// to be sent in `encoding`.
  mutating func nextFrame(buffered: Int, _ encoding: MessageEncoding) -> Frame? {
    switch progress {
    case .nothing: return firstFrame(buffered: buffered, encoding)
    case .headers where buffered > 0:
      progress = .sendingData
      return .data(endsStream: isHTTP)
    case .headers: return trailers()
    case .sendingData, .end, .endSent: return nil
    }
  }

  private mutating func trailers() -> Frame? {
    switch outcome {
    case .open, .http: return nil
    case .ok:
      progress = .end
      return .plainTrailers
    case .status(let status, let metadata):
      progress = .end
      return .trailers(status, metadata)
    }
  }

  private mutating func firstFrame(buffered: Int, _ encoding: MessageEncoding) -> Frame? {
    switch outcome {
    case .http:
      progress = buffered > 0 ? .headers : .end
      return .httpHeaders(status: httpStatus, endsStream: buffered == 0)
    case .status(let status, let metadata)
    where status.code != .ok && !hasMessages && initial?.isEmpty ?? true:
      progress = .end
      return .trailersOnly(httpStatus: httpStatus, status, metadata)
    case .ok, .status:
      break
    case .open:
      guard initial != nil || hasMessages else { return nil }
    }
    progress = .headers
    if encoding == .identity, initial?.isEmpty ?? true { return .plainHeaders }
    return .headers(initial ?? [:], encoding)
  }

  private var isHTTP: Bool { if case .http = outcome { true } else { false } }

  /// Records that nghttp2 has taken all DATA.
  mutating func dataSubmitted() {
    guard progress == .sendingData else { return }
    progress = isHTTP ? .end : .headers
  }

  /// Records that the frame that ends the stream was sent.
  mutating func endSent() { progress = .endSent }
}
