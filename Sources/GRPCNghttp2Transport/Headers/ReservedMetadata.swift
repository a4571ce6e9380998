import GRPCCore

/// The names that are reserved for the protocol and forbidden in a handler's metadata.
enum ReservedMetadata {
  /// The names that the transport sends. `grpc-encoding` selects the encoding of the call.
  static let names: Set<String> = [
    "grpc-status", "grpc-message", "grpc-encoding", "grpc-accept-encoding", "content-type", "te",
    "connection",
    "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "content-length",
  ]

  /// Returns why `metadata` cannot be sent, or nil if it can.
  static func problem(in metadata: Metadata) -> String? {
    for (key, value) in metadata {
      let name = key.lowercased()
      if names.contains(name), name != "grpc-encoding" { return "metadata must not have '\(name)'" }
      if name.isEmpty || !name.utf8.allSatisfy(isNameByte) {
        return "metadata has a name that HTTP/2 does not permit"
      }
      if case .string(let text) = value, !text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) {
        return "metadata has a value that is not printable ASCII"
      }
    }
    return nil
  }

  /// Whether the byte is a lower-case letter, a digit, `_`, `-` or `.` (doc/PROTOCOL-HTTP2.md, Header-Name).
  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."): true
    default: false
    }
  }
}
