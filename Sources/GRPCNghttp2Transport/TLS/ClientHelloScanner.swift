/// Finds the protocols that a client offers in the first TLS message, ClientHello (RFC 8446 §4.1.2, RFC 7301 §3.1).
/// Checks nothing else; other messages are left to the TLS library.
struct ClientHelloScanner {
  enum Verdict {
    /// The message is incomplete.
    case incomplete
    /// The client offers the protocol, or does not negotiate protocols.
    case permitted
    /// The client offers only other protocols.
    case refused
  }

  /// The longest message that BoringSSL accepts, in bytes. Longer ones are not collected.
  private static let longest = 16 * 1_024
  private static let handshakeRecord: UInt8 = 22
  private static let clientHello: UInt8 = 1
  private static let protocolNegotiation = 16

  private let wanted: [UInt8]
  private var recordHeader: [UInt8] = []
  /// The missing bytes of the current record.
  private var recordLeft = 0
  /// The received part of the message, including its type and length.
  private var message: [UInt8] = []

  /// Creates a scanner for the protocol with the ALPN name `wanted`.
  init(protocol wanted: String) {
    self.wanted = Array(wanted.utf8)
  }

  /// Scans received bytes. Do not call it again after a verdict other than `incomplete`.
  mutating func scan(_ bytes: some Sequence<UInt8>) -> Verdict {
    for byte in bytes {
      if recordLeft == 0 {
        recordHeader.append(byte)
        guard recordHeader.count == 5 else { continue }
        recordLeft = Int(recordHeader[3]) << 8 | Int(recordHeader[4])
        guard recordHeader[0] == Self.handshakeRecord, recordLeft > 0 else { return .permitted }
        recordHeader.removeAll(keepingCapacity: true)
      } else {
        recordLeft -= 1
        message.append(byte)
        if let verdict = judge() { return verdict }
      }
    }
    return .incomplete
  }

  /// Returns the verdict once the message is complete or known to be of another type, or nil.
  private func judge() -> Verdict? {
    guard message[0] == Self.clientHello else { return .permitted }
    guard message.count >= 4 else { return nil }
    let length = Int(message[1]) << 16 | Int(message[2]) << 8 | Int(message[3])
    guard length <= Self.longest else { return .permitted }
    guard message.count == 4 + length else { return nil }
    var reader = Reader(bytes: message[4...])
    guard let protocols = Self.protocols(&reader) else { return .permitted }
    return protocols.contains(wanted) ? .permitted : .refused
  }

  /// Returns the protocols that the client offers, or nil if it offers none or the message is malformed.
  private static func protocols(_ reader: inout Reader) -> [[UInt8]]? {
    // Version and random, session id, cipher suites, compression methods.
    guard reader.take(2 + 32) != nil, reader.vector(1) != nil, reader.vector(2) != nil,
      reader.vector(1) != nil,
      var extensions = reader.vector(2)
    else { return nil }
    while let type = extensions.integer(2), var body = extensions.vector(2) {
      guard type == protocolNegotiation else { continue }
      guard var list = body.vector(2) else { return nil }
      var protocols: [[UInt8]] = []
      while let name = list.vector(1) { protocols.append(Array(name.bytes)) }
      return protocols
    }
    return nil
  }

  /// Reads TLS integers and vectors from the front of `bytes`, or returns nil if they are truncated.
  private struct Reader {
    var bytes: ArraySlice<UInt8>

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
      guard bytes.count >= count else { return nil }
      defer { bytes = bytes.dropFirst(count) }
      return bytes.prefix(count)
    }

    mutating func integer(_ width: Int) -> Int? {
      take(width).map { $0.reduce(0) { $0 << 8 | Int($1) } }
    }

    mutating func vector(_ width: Int) -> Reader? {
      guard let count = integer(width) else { return nil }
      return take(count).map { Reader(bytes: $0) }
    }
  }
}
