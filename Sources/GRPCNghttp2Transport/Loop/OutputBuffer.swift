import NIOCore

/// The recycled output buffer of an event loop, which its connections use in turn. Confined to the loop.
final class OutputBuffer {
  /// A buffer larger than this, in bytes, is released.
  private static let largest = 512 * 1_024

  private var spare = ByteBuffer()

  /// Takes the buffer, empty. It has the memory of the previous batch if the socket has taken that, else new memory.
  func take() -> ByteBuffer {
    // Here, where no other reference to the memory is left, not by the one who takes it.
    spare.clear()
    return exchange(&spare, with: ByteBuffer())
  }

  /// Releases the buffer.
  func removeAll() { spare = ByteBuffer() }

  /// Takes back the buffer of a batch.
  func giveBack(_ buffer: ByteBuffer) {
    if buffer.capacity <= Self.largest { spare = buffer }
  }
}
