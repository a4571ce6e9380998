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
  func append(_ message: MessageBytes, to output: inout ByteQueue) {
    message.withUnsafeBytes { bytes in
      if message.isFramed {
        if encoding == .identity { output.append(bytes) } else { compressFrames(bytes, to: &output) }
        return
      }
      if message.isCompressed, compress(bytes, to: &output) { return }
      output.append(atMost: Self.prefix + bytes.count) { room in
        room.storeBytes(of: 0, as: UInt8.self)
        room.storeBytes(of: UInt32(bytes.count).bigEndian, toByteOffset: 1, as: UInt32.self)
        UnsafeMutableRawBufferPointer(rebasing: room.dropFirst(Self.prefix)).copyMemory(from: bytes)
        return room.count
      }
    }
  }

  /// Appends messages that have prefixes. Messages that benefit are compressed; runs of others are copied unchanged.
  private func compressFrames(_ frames: UnsafeRawBufferPointer, to output: inout ByteQueue) {
    var plain = 0
    var next = 0
    while next + Self.prefix <= frames.count {
      let length = Int(UInt32(bigEndian: frames.loadUnaligned(fromByteOffset: next + 1, as: UInt32.self)))
      let end = min(next + Self.prefix + length, frames.count)
      if length >= minSize {
        output.append(UnsafeRawBufferPointer(rebasing: frames[plain..<next]))
        let message = UnsafeRawBufferPointer(rebasing: frames[next + Self.prefix..<end])
        plain = compress(message, to: &output) ? end : next
      }
      next = end
    }
    output.append(UnsafeRawBufferPointer(rebasing: frames[plain...]))
  }

  /// Appends a message compressed, with its prefix, if its size permits and the result is smaller. Returns whether it
  /// did.
  private func compress(_ message: UnsafeRawBufferPointer, to output: inout ByteQueue) -> Bool {
    guard encoding != .identity, message.count >= minSize, message.count <= Self.largestCompressed
    else { return false }
    let start = output.count
    output.append(atMost: Self.prefix) { $0.count }
    guard deflater.deflate(message, to: encoding, into: &output) else {
      output.truncate(to: start)
      return false
    }
    let length = UInt32(output.count - start - Self.prefix)
    output.replace(at: start, with: [1] + Swift.withUnsafeBytes(of: length.bigEndian) { Array($0) })
    return true
  }
}
