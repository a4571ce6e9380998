import GRPCCore
import Testing

@testable import GRPCNghttp2Transport

@Suite struct MessageDeframerTests {
  /// Feeds `bytes` in pieces of `size`, and reads messages as they are completed.
  private func deframe(
    _ bytes: [UInt8], by size: Int, maxLength: Int = 1_024, permitsCompression: Bool = false
  ) throws -> (messages: [[UInt8]], isIncomplete: Bool) {
    var deframer = MessageDeframer(maxLength: maxLength, permitsCompression: permitsCompression)
    var messages: [[UInt8]] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      try bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { try deframer.receive($0) }
      while let frame = deframer.next() { messages.append(frame.bytes) }
    }
    return (messages, deframer.isIncomplete)
  }

  private func frame(_ message: [UInt8], flag: UInt8 = 0) -> [UInt8] {
    [flag] + withUnsafeBytes(of: UInt32(message.count).bigEndian) { Array($0) } + message
  }

  @Test("rule 8: messages and DATA frames have no common boundaries", arguments: 1...40)
  func anyBoundaries(size: Int) throws {
    let messages: [[UInt8]] = [[], [1], Array(2...9), [], Array(repeating: 7, count: 100), [8]]
    let result = try deframe(messages.flatMap { frame($0) }, by: size)
    #expect(result.messages == messages)
    #expect(!result.isIncomplete)
  }

  @Test("unread messages wait in order, and read ones free their memory")
  func waiting() throws {
    var deframer = MessageDeframer(maxLength: 1_024)
    let bytes = (0..<200).flatMap { frame(Array(repeating: UInt8($0), count: $0)) }
    try bytes.withUnsafeBytes { try deframer.receive($0) }
    #expect(deframer.completeMessages == 200)
    #expect(deframer.bufferedBytes == bytes.count)
    for number in 0..<200 {
      let message = deframer.next()?.bytes
      #expect(message == Array(repeating: UInt8(number), count: number))
      if number % 10 == 0 { try frame([UInt8(number)]).withUnsafeBytes { try deframer.receive($0) } }
    }
    for number in stride(from: 0, to: 200, by: 10) {
      let message = deframer.next()?.bytes
      #expect(message == [UInt8(number)])
    }
    let end = deframer.next()
    #expect(end == nil)
    #expect(deframer.bufferedBytes == 0)
  }

  @Test("rule 9: a prefix over the limit is refused before its message arrives")
  func tooLarge() {
    let error = #expect(throws: RPCError.self) { try deframe([0, 0, 0, 4, 1], by: 5) }
    #expect(error?.code == .resourceExhausted)
    #expect(throws: Never.self) { try deframe([0, 0, 0, 4, 0], by: 5) }
    #expect(throws: RPCError.self) { try deframe([0, 255, 255, 255, 255], by: 5) }
  }

  @Test("rule 10: an incomplete prefix or message is recognised", arguments: 1..<10)
  func truncated(length: Int) throws {
    #expect(try deframe(Array(frame([1, 2, 3, 4, 5]).prefix(length)), by: 3).isIncomplete)
  }

  @Test("the missing bytes of a message are known from its prefix")
  func missing() throws {
    var deframer = MessageDeframer(maxLength: 1_024)
    try ([0, 0, 0, 1, 0, 1, 2] as [UInt8]).withUnsafeBytes { try deframer.receive($0) }
    #expect(deframer.missingBytes == 254)
    let message = deframer.next()
    #expect(message == nil)
  }

  @Test("rule 12: flags must match the call's encoding and not be reserved")
  func flags() throws {
    #expect(throws: RPCError.self) { try deframe(frame([1], flag: 1), by: 9) }
    #expect(try deframe(frame([1], flag: 1), by: 9, permitsCompression: true).messages == [[1]])
    for flag: UInt8 in [2, 3, 128, 255] {
      #expect(throws: RPCError.self) { try deframe(frame([1], flag: flag), by: 9, permitsCompression: true) }
    }
  }
}
