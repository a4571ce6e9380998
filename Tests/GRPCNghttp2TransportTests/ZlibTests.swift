import GRPCCore
import Testing

@testable import GRPCNghttp2Transport

@Suite struct ZlibTests {
  private let deflater = Deflater()
  private let before = ByteQueue(Array("before".utf8))

  private func deflated(_ message: [UInt8], _ encoding: MessageEncoding) -> [UInt8] {
    var output = before
    #expect(message.withUnsafeBytes { deflater.deflate($0, to: encoding, into: &output) })
    #expect(output.slice(0..<before.count) == before.slice(0..<before.count))
    output.removeFirst(before.count)
    #expect(output.count < message.count)
    return output.withUnsafeBytes { Array($0) }
  }

  @Test(
    "messages of any size survive a round trip, whatever was compressed before",
    arguments: [MessageEncoding.gzip, .deflate])
  func roundTrip(encoding: MessageEncoding) throws {
    for count in [100, 1_000, 16_384, 16_385, 1_000_000, 100] {
      let message = (0..<count).map { UInt8($0 % 7) }
      #expect(try Zlib.inflate(deflated(message, encoding), from: encoding, maxLength: count) == message)
    }
  }

  @Test("messages share no context: an earlier one does not shorten the next")
  func context() {
    var random = SystemRandomNumberGenerator()
    let message = (0..<1_000).map { _ in UInt8.random(in: 0...63, using: &random) }
    let first = deflated(message, .gzip)
    #expect(deflated(message, .gzip) == first)
  }

  @Test(
    "a message that would not shrink leaves the output unchanged",
    arguments: [MessageEncoding.gzip, .deflate])
  func incompressible(encoding: MessageEncoding) {
    var random = SystemRandomNumberGenerator()
    for count in [0, 1, 10, 1_000, 100_000] {
      let message = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      var output = before
      let isSmaller = message.withUnsafeBytes { deflater.deflate($0, to: encoding, into: &output) }
      #expect(!isSmaller && output == before)
    }
  }

  @Test("rule 13: the limit applies while inflating", arguments: [MessageEncoding.gzip, .deflate])
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
    "rule 13: input that is not exactly one message in the encoding is INTERNAL",
    arguments: [MessageEncoding.gzip, .deflate])
  func garbage(encoding: MessageEncoding) throws {
    let good = deflated(Array(repeating: 7, count: 100), encoding)
    let other: MessageEncoding = encoding == .gzip ? .deflate : .gzip
    for bad in [
      [], [1, 2, 3], Array(good.dropLast()), good + [0], deflated(Array(repeating: 7, count: 100), other),
    ] {
      let error = #expect(throws: RPCError.self) { try Zlib.inflate(bad, from: encoding, maxLength: 1_000) }
      #expect(error?.code == .internalError)
    }
  }
}
