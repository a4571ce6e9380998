import GRPCCore
import NIOCore

/// Makes the bytes of one random session.
struct SessionMaker {
  static let methods = [
    MethodDescriptor(fullyQualifiedService: "a.B", method: "Unary", type: .unary),
    MethodDescriptor(fullyQualifiedService: "a.B", method: "Stream", type: .bidirectionalStreaming),
    MethodDescriptor(fullyQualifiedService: "a.B", method: "Talk", type: .bidirectionalStreaming),
  ]

  private var random: SplitMix64
  private var nextStream: UInt32 = 1
  private var bytes = ByteBuffer()

  init(seed: UInt64) {
    random = SplitMix64(state: seed)
  }

  /// Returns a session in pieces as it arrives, each with the pause after it.
  mutating func make() -> [(bytes: ByteBuffer, pause: TimeAmount)] {
    bytes.writeString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    frame(type: 4, flags: 0, stream: 0, payload: settings())
    for _ in 0..<Int.random(in: 1...20, using: &random) { addFrames() }
    if chance(3) { mutate() }
    var pieces: [(bytes: ByteBuffer, pause: TimeAmount)] = []
    let isDribbled = chance(10)
    while bytes.readableBytes > 0 {
      let longest = isDribbled ? 40 : bytes.readableBytes
      let length = Int.random(in: 1...min(longest, bytes.readableBytes), using: &random)
      // Some pauses are longer than any time-out.
      let pause = chance(50) ? TimeAmount.hours(3) : .milliseconds(Int64(number(0...50)))
      if let piece = bytes.readSlice(length: length) { pieces.append((piece, pause)) }
    }
    return pieces
  }

  /// Returns true once in `count` times.
  private mutating func chance(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }

  private mutating func number(_ range: ClosedRange<UInt32>) -> UInt32 {
    UInt32.random(in: range, using: &random)
  }

  private mutating func noise(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  private mutating func addFrames() {
    if chance(15) { return addHostileFrame() }
    switch number(0...10) {
    case 0...5: addCall()
    case 6: frame(type: 8, flags: 0, stream: openedStream(), payload: word(number(1...70_000)))
    case 7: frame(type: 3, flags: 0, stream: openedStream(), payload: word(number(0...14)))
    case 8: frame(type: 6, flags: UInt8(number(0...1)), stream: 0, payload: noise(8))
    case 9: frame(type: 4, flags: 0, stream: 0, payload: settings())
    default: frame(type: 2, flags: 0, stream: openedStream(), payload: noise(5))
    }
  }

  /// Adds a frame that ends a stream, or the connection.
  private mutating func addHostileFrame() {
    switch number(0...7) {
    case 0:
      frame(type: 9, flags: UInt8(number(0...4)), stream: anyStream(), payload: noise(Int(number(0...20))))
    case 1:
      frame(type: 0, flags: UInt8(number(0...9)), stream: anyStream(), payload: noise(Int(number(0...100))))
    case 2: frame(type: 8, flags: 0, stream: anyStream(), payload: word(number(0...0x7fff_ffff)))
    case 3: frame(type: 4, flags: 1, stream: 0, payload: [])
    case 4: frame(type: 4, flags: 0, stream: 0, payload: [0] + noise(5))
    case 5: frame(type: 7, flags: 0, stream: 0, payload: noise(8))
    case 6: frame(type: 1, flags: 5, stream: anyStream(), payload: noise(Int(number(0...50))))
    default:
      frame(
        type: UInt8(number(0...12)), flags: UInt8(number(0...255)), stream: anyStream(),
        payload: noise(Int(number(0...60))))
    }
  }

  /// Returns a stream that this session has opened, possibly closed by now.
  private mutating func openedStream() -> UInt32 {
    nextStream == 1 ? 0 : 1 + 2 * number(0...((nextStream - 3) / 2))
  }

  private mutating func anyStream() -> UInt32 { chance(3) ? number(0...40) : openedStream() }

  private mutating func addCall() {
    let stream = nextStream
    nextStream += 2
    // The fields :method POST and :scheme http are indexed (RFC 7541, appendix A).
    var block: [UInt8] = [0x83, 0x86]
    block += literal(":path", "/\(Self.methods[Int(number(0...2))].fullyQualifiedMethod)")
    block += literal(":authority", "a")
    block += literal("content-type", "application/grpc")
    block += literal("te", "trailers")
    if chance(4) { block += literal("grpc-timeout", "\(number(0...100))m") }
    if chance(4) {
      block += literal("grpc-encoding", ["gzip", "deflate", "identity", "br"][Int(number(0...3))])
    }
    if chance(4) { block += literal("grpc-accept-encoding", "gzip") }
    if chance(4) { block += literal("x-bin", ["AA", "AAEC", "*", ""][Int(number(0...3))]) }
    if chance(20) { block += noise(10) }
    let endsAtOnce = chance(8)
    if chance(6) {
      let cut = Int(number(0...UInt32(block.count)))
      frame(type: 1, flags: endsAtOnce ? 1 : 0, stream: stream, payload: Array(block[..<cut]))
      frame(type: 9, flags: 4, stream: stream, payload: Array(block[cut...]))
    } else {
      frame(type: 1, flags: endsAtOnce ? 5 : 4, stream: stream, payload: block)
    }
    if endsAtOnce { return }
    var body: [UInt8] = []
    for _ in 0..<number(0...4) {
      let message = noise(Int(number(0...(chance(5) ? 3_000 : 30))))
      body += [chance(10) ? UInt8(number(0...255)) : 0] + word(UInt32(message.count)) + message
    }
    if chance(8) { body = Array(body.dropLast()) }
    var rest = body[...]
    while rest.count > 0 {
      let part = rest.prefix(Int(number(1...1_500)))
      rest = rest.dropFirst(part.count)
      frame(type: 0, flags: rest.isEmpty && !chance(4) ? 1 : 0, stream: stream, payload: Array(part))
    }
  }

  private func literal(_ name: String, _ value: String) -> [UInt8] {
    [0x00, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
  }

  private mutating func settings() -> [UInt8] {
    (0..<number(0...3)).flatMap { _ -> [UInt8] in
      // HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE.
      let id = [1, 3, 4, 6][Int(number(0...3))] as UInt8
      return [0, id] + word(chance(2) ? number(0...100_000) : number(0...20))
    }
  }

  private func word(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

  private mutating func frame(type: UInt8, flags: UInt8, stream: UInt32, payload: [UInt8]) {
    let length = chance(100) ? number(0...20_000) : UInt32(payload.count)
    bytes.writeBytes(word(length)[1...])
    bytes.writeInteger(type)
    bytes.writeInteger(flags)
    bytes.writeInteger(stream)
    bytes.writeBytes(payload)
  }

  /// Corrupts some bytes after the preface.
  private mutating func mutate() {
    for _ in 0..<number(1...8) where bytes.readableBytes > 25 {
      let index = Int.random(in: 24..<bytes.readableBytes, using: &random)
      bytes.setInteger(UInt8.random(in: 0...255, using: &random), at: bytes.readerIndex + index)
    }
  }
}

/// A random generator with a seed (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
