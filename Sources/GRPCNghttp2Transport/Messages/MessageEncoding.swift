/// The compression of a message, as in `grpc-encoding` (github.com/grpc/grpc, doc/compression.md).
public enum MessageEncoding: String, Sendable, CaseIterable {
  /// No compression.
  case identity
  /// The zlib format (RFC 1950).
  case deflate
  /// The gzip format (RFC 1952).
  case gzip
}

/// The encodings that a peer accepts.
struct MessageEncodings: OptionSet {
  let rawValue: UInt8

  static let deflate = MessageEncodings(rawValue: 1)
  static let gzip = MessageEncodings(rawValue: 2)

  init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// Parses a comma-separated `grpc-accept-encoding`; unknown encodings are ignored.
  init(header: some Sequence<UInt8>) {
    self = []
    for name in header.split(separator: UInt8(ascii: ",")) {
      switch MessageEncoding(rawValue: String(decoding: name.filter { $0 != 0x20 }, as: UTF8.self)) {
      case .gzip: insert(.gzip)
      case .deflate: insert(.deflate)
      case .identity, nil: break
      }
    }
  }

  func contains(_ encoding: MessageEncoding) -> Bool {
    switch encoding {
    case .identity: true
    case .deflate: isSuperset(of: Self.deflate)
    case .gzip: isSuperset(of: Self.gzip)
    }
  }
}
