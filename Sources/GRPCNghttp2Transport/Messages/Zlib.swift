import CZlib
import GRPCCore

/// Inflates messages independently of each other (doc/compression.md).
///
/// A stream of 40 KiB is created for each message.
enum Zlib {
  /// Window bits: 15 for the zlib format, 16 more for gzip (zlib.h, `inflateInit2`).
  static func windowBits(_ encoding: MessageEncoding) -> Int32 { encoding == .gzip ? 31 : 15 }

  private static let chunk = 16 * 1_024

  /// Inflates a message.
  ///
  /// - Throws: `RPCError` with INTERNAL if the bytes are not one complete message in this encoding, with
  ///   RESOURCE_EXHAUSTED as soon as the message exceeds `maxLength`.
  static func inflate(_ message: [UInt8], from encoding: MessageEncoding, maxLength: Int) throws(RPCError)
    -> [UInt8]
  {
    var stream = z_stream()
    // Z_OK or Z_MEM_ERROR. Z_VERSION_ERROR is impossible because header and library match, Z_STREAM_ERROR because the
    // bits are valid.
    guard CZlib_inflateInit(&stream, windowBits(encoding)) == Z_OK else { throw .outOfMemory }
    defer { inflateEnd(&stream) }
    var message = message
    var inflated: [UInt8] = []
    let result = message.withUnsafeMutableBufferPointer { input -> Result<Void, RPCError> in
      stream.next_in = input.baseAddress
      stream.avail_in = UInt32(input.count)
      while true {
        // Room for one byte more than the limit detects that it is exceeded.
        let room = min(chunk, maxLength + 1 - inflated.count)
        var status = Z_OK
        inflated += [UInt8](unsafeUninitializedCapacity: room) { output, count in
          stream.next_out = output.baseAddress
          stream.avail_out = UInt32(room)
          status = CZlib.inflate(&stream, Z_NO_FLUSH)
          count = room - Int(stream.avail_out)
        }
        if inflated.count > maxLength { return .failure(.tooLarge(maxLength)) }
        // Z_STREAM_END: complete, and no input may follow. Z_OK: continue. Z_BUF_ERROR: the input is truncated.
        // Z_DATA_ERROR, Z_NEED_DICT, Z_MEM_ERROR: the message cannot be inflated.
        if status == Z_STREAM_END { return stream.avail_in == 0 ? .success(()) : .failure(.notInflatable) }
        if status != Z_OK { return .failure(.notInflatable) }
      }
    }
    try result.get()
    return inflated
  }
}

extension RPCError {
  fileprivate static var notInflatable: RPCError {
    RPCError(code: .internalError, message: "a message cannot be decompressed")
  }

  fileprivate static var outOfMemory: RPCError {
    RPCError(code: .resourceExhausted, message: "out of memory while decompressing a message")
  }

  fileprivate static func tooLarge(_ maxLength: Int) -> RPCError {
    RPCError(
      code: .resourceExhausted,
      message: "a message is larger, decompressed, than the limit of \(maxLength) bytes")
  }
}
