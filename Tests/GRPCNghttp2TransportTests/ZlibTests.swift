import GRPCCore
import NIOCore
import Testing

@testable import GRPCNghttp2Transport

@Suite struct ZlibTests {
  private func deflated(_ message: [UInt8], _ encoding: MessageEncoding) -> [UInt8] {
    var output = ByteBuffer(string: "before")
    #expect(Zlib.deflate(message, to: encoding, into: &output))
    output.moveReaderIndex(forwardBy: 6)
    return Array(output.readableBytesView)
  }

  @Test("messages of any size come back as they were", arguments: [MessageEncoding.gzip, .deflate])
  func roundTrip(encoding: MessageEncoding) throws {
    var random = SystemRandomNumberGenerator()
    for count in [0, 1, 1_000, 16_384, 16_385, 1_000_000] {
      let message = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(
        try Zlib.inflate(deflated(message, encoding), from: encoding, maxLength: max(count, 1)) == message)
    }
  }

  @Test("rule 13: the limit holds while inflating", arguments: [MessageEncoding.gzip, .deflate])
  func bomb(encoding: MessageEncoding) throws {
    let bomb = deflated(Array(repeating: 0, count: 10_000_000), encoding)
    #expect(bomb.count < 20_000)
    let error = #expect(throws: RPCError.self) {
      try Zlib.inflate(bomb, from: encoding, maxLength: 9_999_999)
    }
    #expect(error?.code == .resourceExhausted)
    #expect(try Zlib.inflate(bomb, from: encoding, maxLength: 10_000_000).count == 10_000_000)
  }

  @Test(
    "rule 13: what is not one whole message of the encoding is INTERNAL",
    arguments: [MessageEncoding.gzip, .deflate])
  func garbage(encoding: MessageEncoding) throws {
    let good = deflated(Array("a message".utf8), encoding)
    let other: MessageEncoding = encoding == .gzip ? .deflate : .gzip
    for bad in [[], [1, 2, 3], Array(good.dropLast()), good + [0], deflated([1], other)] {
      let error = #expect(throws: RPCError.self) { try Zlib.inflate(bad, from: encoding, maxLength: 1_000) }
      #expect(error?.code == .internalError)
    }
  }
}
