public import GRPCCore

/// The bytes of a message, which the transport passes to deserializers and takes from serializers.
public struct MessageBytes: GRPCContiguousBytes, Hashable, Sendable {
  /// The contents.
  public var bytes: [UInt8]
  /// Whether a request message was sent compressed, or a response message may be.
  public var isCompressed: Bool

  /// Whether the bytes are several messages, each with its prefix: a zero byte, and the length in four bytes, most
  /// significant first. Only in responses.
  let isFramed: Bool

  /// Creates a message.
  public init(_ bytes: [UInt8], isCompressed: Bool = true) {
    self.bytes = bytes
    self.isCompressed = isCompressed
    isFramed = false
  }

  /// Creates several response messages at once, for handlers that produce many small ones. Each has its prefix: a
  /// zero byte, and the length in four bytes, most significant first. The transport does not check the prefixes.
  public init(frames: [UInt8]) {
    bytes = frames
    isCompressed = true
    isFramed = true
  }

  /// Creates a response of `messages`, of which there is at least one.
  public init(messages: [[UInt8]]) {
    if messages.count == 1 {
      self.init(messages[0])
      return
    }
    var frames: [UInt8] = []
    frames.reserveCapacity(messages.reduce(0) { $0 + 5 + $1.count })
    for message in messages {
      frames.append(0)
      Swift.withUnsafeBytes(of: UInt32(message.count).bigEndian) { frames.append(contentsOf: $0) }
      frames += message
    }
    self.init(frames: frames)
  }

  public init(repeating byte: UInt8, count: Int) {
    self.init([UInt8](repeating: byte, count: count))
  }

  public init(_ sequence: some Sequence<UInt8>) {
    self.init([UInt8](sequence))
  }

  public var count: Int { bytes.count }

  public func withUnsafeBytes<R>(_ body: (_ buffer: UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try bytes.withUnsafeBytes(body)
  }

  public mutating func withUnsafeMutableBytes<R>(
    _ body: (_ buffer: UnsafeMutableRawBufferPointer) throws -> R
  ) rethrows -> R {
    try bytes.withUnsafeMutableBytes(body)
  }
}
