import GRPCCore

/// Conversion of response frames to header blocks.
extension HeaderBlock {
  /// The headers of a response without metadata.
  static let plainHeaders = HeaderBlock(.plainHeaders)

  /// The trailers of a successful response without metadata.
  static let plainTrailers = HeaderBlock(.plainTrailers)

  private init(_ frame: ResponseState.Frame) {
    self.init()
    _ = add(frame)
  }

  /// Adds the fields of `frame`, none for DATA. Returns whether it ends the stream.
  mutating func add(_ frame: ResponseState.Frame) -> Bool {
    switch frame {
    case .plainHeaders:
      addResponseHeaders(httpStatus: 200, .identity)
      return false
    case .headers(let metadata, let encoding):
      addResponseHeaders(httpStatus: 200, encoding)
      add(metadata)
      return false
    case .trailersOnly(let httpStatus, let status, let metadata):
      addResponseHeaders(httpStatus: httpStatus, .identity)
      add(status)
      add(metadata)
      return true
    case .httpHeaders(let httpStatus, let endsStream):
      add(":status", String(httpStatus))
      if httpStatus == 405 { add("allow", "POST") }
      add("content-type", "text/plain; charset=utf-8")
      return endsStream
    case .plainTrailers:
      add(Status(code: .ok, message: ""))
      return true
    case .trailers(let status, let metadata):
      add(status)
      add(metadata)
      return true
    case .data(let endsStream):
      return endsStream
    }
  }

  /// Adds the fields at the start of every gRPC response.
  private mutating func addResponseHeaders(httpStatus: Int, _ encoding: MessageEncoding) {
    if httpStatus == 200 { add(":status", "200") } else { add(":status", String(httpStatus)) }
    add("content-type", "application/grpc")
    add("grpc-accept-encoding", "identity,deflate,gzip")
    if encoding != .identity { add("grpc-encoding", encoding.rawValue) }
  }
}
