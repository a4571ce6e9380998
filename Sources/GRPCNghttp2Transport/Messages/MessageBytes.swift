public import GRPCCore

/// The bytes of a message, as the transport hands them to deserializers and takes them from serializers.
public struct MessageBytes: GRPCContiguousBytes, Hashable, Sendable {
  /// The message.
  public var bytes: [UInt8]
  /// Whether a request message came compressed, and whether a response message may be.
  public var isCompressed: Bool

  /// A message.
  public init(_ bytes: [UInt8], isCompressed: Bool = true) {
    self.bytes = bytes
    self.isCompressed = isCompressed
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
