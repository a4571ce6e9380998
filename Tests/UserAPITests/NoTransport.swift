import GRPCCore
import UserAPI

/// Bytes like those of the service's transport.
struct FramedBytes: FramedMessageBytes, Sendable {
  private(set) var bytes: [UInt8]

  init(frames: [UInt8]) { bytes = frames }
  init(repeating byte: UInt8, count: Int) { bytes = [UInt8](repeating: byte, count: count) }
  init(_ sequence: some Sequence<UInt8>) { bytes = [UInt8](sequence) }

  var count: Int { bytes.count }

  func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try bytes.withUnsafeBytes(body)
  }

  mutating func withUnsafeMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
    try bytes.withUnsafeMutableBytes(body)
  }
}

/// A transport for routers that only list their methods.
struct NoTransport: ServerTransport {
  typealias Bytes = FramedBytes

  func listen(
    streamHandler: @escaping @concurrent @Sendable (RPCStream<Inbound, Outbound>, ServerContext) async -> Void
  ) async throws {}

  func beginGracefulShutdown() {}
}
