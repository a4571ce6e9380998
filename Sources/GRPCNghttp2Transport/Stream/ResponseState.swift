import GRPCCore

/// How far a response has got. Decides which frames come next; ``Connection`` submits them.
struct ResponseState {
  /// The next frame to submit.
  enum Step {
    case nothing
    case headers(Metadata)
    /// Headers that end the stream: the status alone.
    case trailersOnly(httpStatus: Int, Status, Metadata)
    /// Headers of a plain HTTP answer.
    case httpHeaders(status: Int, endsStream: Bool)
    case data(endsStream: Bool)
    case trailers(Status, Metadata)
  }

  private enum Progress {
    case headersDue
    case headersSubmitted
    case done
  }

  private var progress = Progress.headersDue
  private var initial: Metadata?
  private var hasMessages = false
  private var status: (Status, Metadata)?
  private var httpStatus: Int?
  private var isPlainHTTP = false
  /// Whether nghttp2 has DATA of the stream to ask for.
  private var isSendingData = false

  /// Whether the response has its end, sent or not.
  var hasStatus: Bool { status != nil || isPlainHTTP }

  mutating func metadata(_ metadata: Metadata) { initial = metadata }

  mutating func message() { hasMessages = true }

  mutating func status(_ status: Status, _ metadata: Metadata) { self.status = (status, metadata) }

  /// The response is one message, and all is well.
  mutating func unary() {
    hasMessages = true
    status = (Status(code: .ok, message: ""), [:])
  }

  /// The response's `:status`, which is 200 otherwise.
  mutating func setHTTPStatus(_ httpStatus: Int) { self.httpStatus = httpStatus }

  /// The response is no gRPC response.
  mutating func refuse(httpStatus: Int) {
    self.httpStatus = httpStatus
    isPlainHTTP = true
  }

  /// What to submit next, with `buffered` bytes of messages to send. It counts as submitted.
  mutating func advance(buffered: Int) -> Step {
    let step = next(buffered: buffered)
    submitted(step)
    return step
  }

  private func next(buffered: Int) -> Step {
    switch progress {
    case .headersDue:
      if isPlainHTTP { return .httpHeaders(status: httpStatus ?? 200, endsStream: buffered == 0) }
      if let (status, metadata) = status, status.code != .ok, !hasMessages, initial?.isEmpty ?? true {
        return .trailersOnly(httpStatus: httpStatus ?? 200, status, metadata)
      }
      return initial != nil || hasMessages || status != nil ? .headers(initial ?? [:]) : .nothing
    case .headersSubmitted:
      if isSendingData { return .nothing }
      if buffered > 0 { return .data(endsStream: isPlainHTTP) }
      return status.map { .trailers($0, $1) } ?? .nothing
    case .done:
      return .nothing
    }
  }

  private mutating func submitted(_ step: Step) {
    switch step {
    case .nothing: break
    case .headers, .httpHeaders(_, endsStream: false): progress = .headersSubmitted
    case .data: isSendingData = true
    case .trailersOnly, .trailers, .httpHeaders(_, endsStream: true): progress = .done
    }
  }

  /// nghttp2 has been given all there is.
  mutating func dataSubmitted() {
    isSendingData = false
    if isPlainHTTP { progress = .done }
  }
}
