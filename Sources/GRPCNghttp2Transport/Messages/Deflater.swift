import CZlib
import NIOCore

/// Compresses messages one by one. No context crosses from one to the next (doc/compression.md).
///
/// It keeps one stream of 256 KiB for each encoding that was asked for, and resets it between messages. Confined to an
/// event loop.
final class Deflater {
  private var streams: [MessageEncoding: UnsafeMutablePointer<z_stream>] = [:]

  deinit {
    for stream in streams.values {
      deflateEnd(stream)
      stream.deallocate()
    }
  }

  /// A stream for a message; nil if there is no memory for it.
  private func stream(_ encoding: MessageEncoding) -> UnsafeMutablePointer<z_stream>? {
    if let stream = streams[encoding] { return stream }
    // zlib's own state points back at it, so that it must not move.
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // Z_OK, or Z_MEM_ERROR; Z_VERSION_ERROR and Z_STREAM_ERROR cannot be: header and library are one, the bits are ours.
    guard CZlib_deflateInit(stream, Zlib.windowBits(encoding)) == Z_OK else {
      stream.deallocate()
      return nil
    }
    streams[encoding] = stream
    return stream
  }

  /// Appends `message`, compressed, to `output` if that is shorter than `message`. Returns whether it did; `output` is
  /// as it was if not.
  func deflate(
    _ message: UnsafeRawBufferPointer, to encoding: MessageEncoding, into output: inout ByteBuffer
  ) -> Bool {
    guard message.count > 1, let stream = stream(encoding) else { return false }
    // Z_STREAM_ERROR cannot be: the stream is ours, and whole.
    deflateReset(stream)
    // zlib takes a mutable pointer for old compilers' sake; it does not write (zlib.h, z_const).
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: message.bindMemory(to: UInt8.self).baseAddress)
    stream.pointee.avail_in = UInt32(message.count)
    let start = output.writerIndex
    let room = message.count - 1
    var isWhole = false
    output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { buffer in
      stream.pointee.next_out = buffer.bindMemory(to: UInt8.self).baseAddress
      stream.pointee.avail_out = UInt32(room)
      // Z_STREAM_END: all of it fits. Z_OK, Z_BUF_ERROR: it does not.
      isWhole = CZlib.deflate(stream, Z_FINISH) == Z_STREAM_END
      return room - Int(stream.pointee.avail_out)
    }
    if !isWhole { output.moveWriterIndex(to: start) }
    return isWhole
  }
}
