import GRPCCore
import NIOCore

/// Joins the bytes of DATA frames into length-prefixed messages (github.com/grpc/grpc,
/// doc/PROTOCOL-HTTP2.md).
///
/// Every prefix is checked as its bytes arrive, before anything is allocated for its message. Messages stay
/// in one buffer until they are asked for, so that small ones cost no more memory than they took on the wire.
struct MessageDeframer {
  /// A message as it came.
  struct Frame: Equatable {
    let bytes: [UInt8]
    let isCompressed: Bool
  }

  static let prefixLength = 5

  private(set) var maxLength: Int
  /// Whether the call names an encoding other than identity.
  private var permitsCompression: Bool
  private var buffer: ByteBuffer
  /// Index in `buffer` of the first prefix that has not been checked.
  private var unchecked = 0
  /// The number of bytes from `unchecked` backwards that are still to come.
  private var missing = 0
  private(set) var completeMessages = 0

  /// A deframer that keeps what arrives in `buffer`, which is empty.
  init(maxLength: Int, permitsCompression: Bool = false, buffer: ByteBuffer = ByteBuffer()) {
    self.maxLength = maxLength
    self.buffer = buffer
    self.permitsCompression = permitsCompression
  }

  /// Sets the limits of a call whose headers are known only now.
  mutating func begin(maxLength: Int, permitsCompression: Bool) {
    self.maxLength = maxLength
    self.permitsCompression = permitsCompression
  }

  /// Bytes that wait for the reader.
  var bufferedBytes: Int { buffer.readableBytes }

  /// Whether a prefix or a message has begun and is not complete.
  var isIncomplete: Bool { missing > 0 || buffer.writerIndex > unchecked }

  /// Bytes of the incomplete message that are still to come, as far as its prefix is known.
  var missingBytes: Int { max(0, missing - (buffer.writerIndex - unchecked)) }

  /// Takes the payload of a DATA frame.
  ///
  /// - Throws: `RPCError` that ends the call: a message that is too large, a reserved flag, or a compressed
  ///   message in a call that names no encoding.
  mutating func receive(_ bytes: UnsafeRawBufferPointer) throws(RPCError) {
    buffer.writeBytes(bytes)
    while missing <= buffer.writerIndex - unchecked {
      if missing > 0 {
        unchecked += missing
        missing = 0
        completeMessages += 1
      }
      guard buffer.writerIndex - unchecked >= Self.prefixLength,
        let flag = buffer.getInteger(at: unchecked, as: UInt8.self),
        let length = buffer.getInteger(at: unchecked + 1, as: UInt32.self)
      else { return }
      try check(flag: flag, length: length)
      missing = Self.prefixLength + Int(length)
    }
  }

  private func check(flag: UInt8, length: UInt32) throws(RPCError) {
    switch flag {
    case 0: break
    case 1:
      if !permitsCompression {
        throw RPCError(
          code: .internalError,
          message: "a message is flagged as compressed, but grpc-encoding names no encoding")
      }
    default:
      throw RPCError(code: .internalError, message: "a message has reserved flags")
    }
    if length > maxLength {
      throw RPCError(
        code: .resourceExhausted,
        message: "a message of \(length) bytes is larger than the limit of \(maxLength) bytes")
    }
  }

  /// Whether the next complete message is there and not compressed.
  var nextIsPlain: Bool {
    completeMessages > 0 && buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == 0
  }

  /// The bytes of the next complete message, which stays; nil if there is none, or it is compressed.
  var plainMessage: ByteBuffer? {
    guard nextIsPlain, let length = buffer.getInteger(at: buffer.readerIndex + 1, as: UInt32.self)
    else { return nil }
    return buffer.getSlice(at: buffer.readerIndex + Self.prefixLength, length: Int(length))
  }

  /// Takes the next complete message, of which there is one, without its bytes.
  mutating func skip() {
    guard completeMessages > 0, buffer.readableBytes >= Self.prefixLength,
      let length = buffer.getInteger(at: buffer.readerIndex + 1, as: UInt32.self)
    else { return }
    completeMessages -= 1
    buffer.moveReaderIndex(forwardBy: Self.prefixLength + Int(length))
    discardRead()
  }

  /// The next complete message, which stays, or nil.
  func peek() -> Frame? {
    var copy = self
    return copy.next()
  }

  /// The next complete message, or nil.
  mutating func next() -> Frame? {
    guard completeMessages > 0, let flag = buffer.readInteger(as: UInt8.self),
      let length = buffer.readInteger(as: UInt32.self)
    else { return nil }
    completeMessages -= 1
    // In memory of their own: a slice would keep the buffer, and make the next write copy it.
    guard let bytes = buffer.readBytes(length: Int(length)) else { return nil }
    discardRead()
    return Frame(bytes: bytes, isCompressed: flag == 1)
  }

  /// Gives the bytes that were read back once they are the larger part of the buffer.
  private mutating func discardRead() {
    if buffer.readableBytes == 0 {
      unchecked = 0
      // What a large message took is given back too.
      if buffer.capacity > 64 * 1_024 { buffer = ByteBuffer() } else { buffer.clear() }
      return
    }
    guard buffer.readerIndex > 4_096, buffer.readerIndex > buffer.readableBytes else { return }
    unchecked -= buffer.readerIndex
    buffer.discardReadBytes()
  }

  /// Gives back the buffer if it is empty and larger than `limit` bytes.
  mutating func giveBackMemory(beyond limit: Int) {
    if buffer.readableBytes == 0, buffer.capacity > limit { buffer = ByteBuffer() }
  }

  /// Drops what has been received.
  mutating func removeAll() { _ = takeBuffer() }

  /// The buffer, with what is in it, for which nobody will ask any more.
  mutating func takeBuffer() -> ByteBuffer {
    unchecked = 0
    missing = 0
    completeMessages = 0
    return exchange(&buffer, with: ByteBuffer())
  }
}
