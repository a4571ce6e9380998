import NIOCore

/// Memory for what connections send, which all connections of an event loop use in turn. Confined to the loop.
final class OutputBuffer {
  /// A batch that needed more bytes than this leaves its memory to the system.
  private static let largest = 512 * 1_024

  private var spare = ByteBuffer()

  /// A buffer for a batch, with what the batch before had in it.
  func take() -> ByteBuffer { exchange(&spare, with: ByteBuffer()) }

  /// Takes back the buffer of a batch.
  func giveBack(_ buffer: ByteBuffer) {
    if buffer.capacity <= Self.largest { spare = buffer }
  }
}
