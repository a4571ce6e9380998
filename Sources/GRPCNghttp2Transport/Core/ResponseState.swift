import GRPCCore

/// How far a response has got, and which frame comes next.
struct ResponseState {
  /// A frame to submit.
  enum Frame {
    case headers(Metadata, MessageEncoding)
    /// HEADERS that end the stream: the status alone.
    case trailersOnly(httpStatus: Int, Status, Metadata)
    /// HEADERS of a plain HTTP answer.
    case httpHeaders(status: Int, endsStream: Bool)
    /// DATA, of which nghttp2 asks for as much as fits, until there is none left.
    case data(endsStream: Bool)
    case trailers(Status, Metadata)
  }

  /// What has been submitted.
  private enum Progress: Equatable {
    case nothing
    case headers
    /// nghttp2 has DATA to ask for.
    case sendingData
    /// The frame that ends the stream.
    case end
    /// That frame has been sent.
    case endSent
  }

  /// How the response ends, once that is known.
  private enum Outcome {
    case open
    case status(Status, Metadata)
    /// It is a plain HTTP answer.
    case http
  }

  private var progress = Progress.nothing
  private var outcome = Outcome.open
  private var initial: Metadata?
  private var hasMessages = false
  private var httpStatus = 200

  /// Whether the response has its end, sent or not.
  var hasStatus: Bool { if case .open = outcome { false } else { true } }

  /// Whether the frame that ends the stream has been sent.
  var hasEnded: Bool { progress == .endSent }

  /// Takes the metadata that comes first.
  mutating func metadata(_ metadata: Metadata) { initial = metadata }

  /// The response has a message.
  mutating func message() { hasMessages = true }

  /// Takes the status that ends the response.
  mutating func status(_ status: Status, _ metadata: Metadata) { outcome = .status(status, metadata) }

  /// The response is one message, and the status OK.
  mutating func unary() {
    hasMessages = true
    outcome = .status(Status(code: .ok, message: ""), [:])
  }

  /// Sets the `:status` of a gRPC response, which is 200 by default.
  mutating func setHTTPStatus(_ httpStatus: Int) { self.httpStatus = httpStatus }

  /// Makes it a plain HTTP answer.
  mutating func refuse(httpStatus: Int) {
    self.httpStatus = httpStatus
    outcome = .http
  }

  /// The next frame to submit, with `buffered` bytes of messages to send in `encoding`; nil if it cannot go on. It
  /// counts as submitted.
  mutating func nextFrame(buffered: Int, _ encoding: MessageEncoding) -> Frame? {
    switch progress {
    case .nothing: return firstFrame(buffered: buffered, encoding)
    case .headers where buffered > 0:
      progress = .sendingData
      return .data(endsStream: isHTTP)
    case .headers:
      guard case .status(let status, let metadata) = outcome else { return nil }
      progress = .end
      return .trailers(status, metadata)
    case .sendingData, .end, .endSent: return nil
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
    case .status:
      break
    case .open:
      guard initial != nil || hasMessages else { return nil }
    }
    progress = .headers
    return .headers(initial ?? [:], encoding)
  }

  private var isHTTP: Bool { if case .http = outcome { true } else { false } }

  /// nghttp2 has been given all the DATA there is.
  mutating func dataSubmitted() {
    guard progress == .sendingData else { return }
    progress = isHTTP ? .end : .headers
  }

  /// The frame that ends the stream has been sent.
  mutating func endSent() { progress = .endSent }
}
