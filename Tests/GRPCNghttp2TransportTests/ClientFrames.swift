/// Frames of a client, written by hand (RFC 9113 §4.1).
enum ClientFrames {
  static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
    [0, 0, UInt8(payload.count), type, flags, 0, 0, 0, stream] + payload
  }

  private static func literal(_ name: String, _ value: String) -> [UInt8] {
    [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
  }

  /// Returns the header block of a gRPC request, with a time-out of 5 ms if `timeout`. :method POST and :scheme http are
  /// indexed fields (RFC 7541, appendix A).
  static func headers(_ path: String, timeout: Bool = false) -> [UInt8] {
    [0x83, 0x86] + literal(":path", path) + literal(":authority", "a")
      + literal("content-type", "application/grpc") + literal("te", "trailers")
      + (timeout ? literal("grpc-timeout", "5m") : [])
  }
}
