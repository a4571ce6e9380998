public import GRPCCore

/// The bytes of a message, as the transport hands them to deserializers and takes them from serializers.
public struct MessageBytes: GRPCContiguousBytes, Hashable, Sendable {
  /// The message.
  public var bytes: [UInt8]
  /// Whether a request message came compressed, and whether a response message may be.
  public var isCompressed: Bool

  /// Whether the bytes are any number of messages, each with its prefix: a zero, and its length in four
  /// bytes, the most significant first. Only in responses.
  let isFramed: Bool

  /// A message.
  public init(_ bytes: [UInt8], isCompressed: Bool = true) {
    self.bytes = bytes
    self.isCompressed = isCompressed
    isFramed = false
  }

  /// Several response messages at once, for handlers that make many small ones: each with its prefix in
  /// front, a zero and its length in four bytes, the most significant first. The transport trusts the
  /// prefixes.
  public init(frames: [UInt8]) {
    bytes = frames
    isCompressed = true
    isFramed = true
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
