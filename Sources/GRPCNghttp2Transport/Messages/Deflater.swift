import CZlib

/// Compresses messages independently of each other (doc/compression.md).
///
/// Keeps one stream of 256 KiB for each encoding in use, and resets it between messages. Confined to an event loop.
final class Deflater {
  private var streams: [MessageEncoding: UnsafeMutablePointer<z_stream>] = [:]

  deinit { removeAll() }

  /// Releases the streams.
  func removeAll() {
    for stream in streams.values {
      deflateEnd(stream)
      stream.deallocate()
    }
    streams = [:]
  }

  /// Returns a stream for a message, or nil if memory is exhausted.
  private func stream(_ encoding: MessageEncoding) -> UnsafeMutablePointer<z_stream>? {
    if let stream = streams[encoding] { return stream }
    // zlib's internal state points back to the stream, so it must not move.
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // Z_OK or Z_MEM_ERROR. Z_VERSION_ERROR is impossible because header and library match, Z_STREAM_ERROR because the
    // bits are valid.
    guard CZlib_deflateInit(stream, Zlib.windowBits(encoding)) == Z_OK else {
      stream.deallocate()
      return nil
    }
    streams[encoding] = stream
    return stream
  }

  /// Appends `message`, compressed, to `output` if the result is shorter. Returns whether it did; otherwise `output`
  /// is unchanged.
  func deflate(
    _ message: UnsafeRawBufferPointer, to encoding: MessageEncoding, into output: inout ByteQueue
  ) -> Bool {
    guard message.count > 1, let stream = stream(encoding) else { return false }
    // Z_STREAM_ERROR is impossible: the stream is initialized.
    deflateReset(stream)
    // zlib's parameter is mutable for old compilers; it does not write (zlib.h, z_const).
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: message.bindMemory(to: UInt8.self).baseAddress)
    stream.pointee.avail_in = UInt32(message.count)
    let start = output.count
    let room = message.count - 1
    var isWhole = false
    output.append(atMost: room) { buffer in
      stream.pointee.next_out = buffer.bindMemory(to: UInt8.self).baseAddress
      stream.pointee.avail_out = UInt32(room)
      // Z_STREAM_END: everything fits. Z_OK or Z_BUF_ERROR: it does not.
      isWhole = CZlib.deflate(stream, Z_FINISH) == Z_STREAM_END
      return room - Int(stream.pointee.avail_out)
    }
    if !isWhole { output.truncate(to: start) }
    return isWhole
  }
}
