import Testing

@testable import GRPCNghttp2Transport

@Suite struct ClientHelloScannerTests {
  private static func vector(_ width: Int, _ body: [UInt8]) -> [UInt8] {
    (0..<width).reversed().map { UInt8(truncatingIfNeeded: body.count >> ($0 * 8)) } + body
  }

  /// Returns a ClientHello that offers `protocols`; without the extension for nil.
  private static func hello(_ protocols: [String]?) -> [UInt8] {
    var extensions: [UInt8] = [0, 23] + vector(2, [])
    if let protocols {
      extensions += [0, 16] + vector(2, vector(2, protocols.flatMap { vector(1, Array($0.utf8)) }))
    }
    let body =
      [3, 3] + [UInt8](repeating: 7, count: 32) + vector(1, [1, 2]) + vector(2, [0x13, 1]) + vector(1, [0])
      + vector(2, extensions)
    return [1] + vector(3, body)
  }

  private static func records(_ message: [UInt8], length: Int = 16_384) -> [UInt8] {
    stride(from: 0, to: message.count, by: length).flatMap { start in
      [22, 3, 1] + vector(2, Array(message[start..<min(start + length, message.count)]))
    }
  }

  private static func scan(_ bytes: [UInt8], pieces: Int = .max) -> ClientHelloScanner.Verdict {
    var scanner = ClientHelloScanner(protocol: "h2")
    for start in stride(from: 0, to: bytes.count, by: min(pieces, bytes.count)) {
      let verdict = scanner.scan(bytes[start..<min(start + min(pieces, bytes.count), bytes.count)])
      if verdict != .incomplete { return verdict }
    }
    return .incomplete
  }

  @Test(
    "a client that offers protocols must offer h2",
    arguments: [
      (["h2"], ClientHelloScanner.Verdict.permitted), (["http/1.1", "h2"], .permitted), (nil, .permitted),
      (["http/1.1"], .refused), (["h2c", "H2", "h"], .refused), ([], .refused),
    ] as [([String]?, ClientHelloScanner.Verdict)])
  func offers(protocols: [String]?, expected: ClientHelloScanner.Verdict) {
    let hello = Self.hello(protocols)
    #expect(Self.scan(Self.records(hello)) == expected)
    #expect(Self.scan(Self.records(hello, length: 7)) == expected)
    #expect(Self.scan(Self.records(hello), pieces: 1) == expected)
  }

  @Test("every prefix of a message is incomplete")
  func beginnings() {
    let bytes = Self.records(Self.hello(["http/1.1"]))
    for count in 1..<bytes.count { #expect(Self.scan(Array(bytes[..<count])) == .incomplete) }
  }

  @Test("other messages and malformed ones are left to the TLS library")
  func others() {
    #expect(Self.scan(Array("PRI * HTTP/2.0\r\n".utf8)) == .permitted)
    #expect(Self.scan([22, 3, 1, 0, 0]) == .permitted)
    #expect(Self.scan(Self.records([2] + Self.hello(["x"]).dropFirst())) == .permitted)
    #expect(Self.scan(Self.records([1, 0xff, 0xff, 0xff])) == .permitted)
    let hello = Self.hello(["x"])
    // The length of each vector in turn exceeds the message.
    for index in 4..<hello.count {
      var broken = hello
      broken[index] = 0xff
      #expect(Self.scan(Self.records(broken)) != .incomplete)
    }
  }
}
