import NIOCore

/// Writes response messages with their prefixes (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md), compressed if that
/// makes them smaller.
struct MessageFramer {
  /// The largest message that is compressed, in bytes; a larger one would block the event loop for too long.
  private static let largestCompressed = 1_024 * 1_024
  private static let prefix = MessageDeframer.prefixLength

  let encoding: MessageEncoding
  /// The smallest message that is compressed, in bytes.
  let minSize: Int
  let deflater: Deflater

  /// Appends `message`, which may be several messages with prefixes.
  func append(_ message: MessageBytes, to output: inout ByteBuffer) {
    message.withUnsafeBytes { bytes in
      if message.isFramed {
        if encoding == .identity { output.writeBytes(bytes) } else { compressFrames(bytes, to: &output) }
        return
      }
      if message.isCompressed, compress(bytes, to: &output) { return }
      output.writeInteger(UInt8(0))
      output.writeInteger(UInt32(bytes.count))
      output.writeBytes(bytes)
    }
  }

  /// Appends messages that have prefixes. Messages that benefit are compressed; runs of others are copied unchanged.
  private func compressFrames(_ frames: UnsafeRawBufferPointer, to output: inout ByteBuffer) {
    var plain = 0
    var next = 0
    while next + Self.prefix <= frames.count {
      let length = Int(UInt32(bigEndian: frames.loadUnaligned(fromByteOffset: next + 1, as: UInt32.self)))
      let end = min(next + Self.prefix + length, frames.count)
      if length >= minSize {
        output.writeBytes(UnsafeRawBufferPointer(rebasing: frames[plain..<next]))
        let message = UnsafeRawBufferPointer(rebasing: frames[next + Self.prefix..<end])
        plain = compress(message, to: &output) ? end : next
      }
      next = end
    }
    output.writeBytes(UnsafeRawBufferPointer(rebasing: frames[plain...]))
  }

  /// Appends a message compressed, with its prefix, if its size permits and the result is smaller. Returns whether it
  /// did.
  private func compress(_ message: UnsafeRawBufferPointer, to output: inout ByteBuffer) -> Bool {
    guard encoding != .identity, message.count >= minSize, message.count <= Self.largestCompressed
    else { return false }
    let start = output.writerIndex
    output.writeRepeatingByte(0, count: Self.prefix)
    guard deflater.deflate(message, to: encoding, into: &output) else {
      output.moveWriterIndex(to: start)
      return false
    }
    let length = output.writerIndex - start - Self.prefix
    output.setInteger(UInt8(1), at: start)
    output.setInteger(UInt32(length), at: start + 1)
    return true
  }
}
