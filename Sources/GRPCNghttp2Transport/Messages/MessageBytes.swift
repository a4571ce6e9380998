public import GRPCCore
public import NIOCore

/// The bytes of a message, as the transport hands them to deserializers and takes them from serializers.
public struct MessageBytes: GRPCContiguousBytes, Hashable, Sendable {
  /// The message.
  public var buffer: ByteBuffer
  /// Whether a request message came compressed, and whether a response message may be.
  public var isCompressed: Bool

  /// The message in `buffer`.
  public init(_ buffer: ByteBuffer, isCompressed: Bool = true) {
    self.buffer = buffer
    self.isCompressed = isCompressed
  }

  public init(repeating byte: UInt8, count: Int) {
    self.init(ByteBuffer(repeating: byte, count: count))
  }

  public init(_ sequence: some Sequence<UInt8>) {
    self.init(ByteBuffer(bytes: sequence))
  }

  public var count: Int { buffer.readableBytes }

  public func withUnsafeBytes<R>(_ body: (_ buffer: UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try buffer.withUnsafeReadableBytes(body)
  }

  public mutating func withUnsafeMutableBytes<R>(
    _ body: (_ buffer: UnsafeMutableRawBufferPointer) throws -> R
  ) rethrows -> R {
    try buffer.withUnsafeMutableReadableBytes(body)
  }
}
