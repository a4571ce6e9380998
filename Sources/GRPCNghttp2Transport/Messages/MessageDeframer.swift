import GRPCCore
import NIOCore

/// Joins the bytes of DATA frames into length-prefixed messages (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
///
/// Every prefix is checked as it arrives, before memory is allocated for its message. Messages stay in one buffer
/// until they are read, so that small ones use no more memory than on the wire.
struct MessageDeframer {
  /// A message as received.
  struct Frame: Equatable {
    let bytes: [UInt8]
    let isCompressed: Bool
  }

  static let prefixLength = 5

  private(set) var maxLength: Int
  /// Whether the call names an encoding other than identity.
  private var permitsCompression: Bool
  private var buffer: ByteBuffer
  /// The index in `buffer` of the first prefix that was not checked.
  private var unchecked = 0
  /// The length of the message at `unchecked` with its prefix, or 0 while the prefix is incomplete.
  private var missing = 0
  private(set) var completeMessages = 0

  /// Creates a deframer with the empty buffer `buffer`.
  init(maxLength: Int, permitsCompression: Bool = false, buffer: ByteBuffer = ByteBuffer()) {
    self.maxLength = maxLength
    self.buffer = buffer
    self.permitsCompression = permitsCompression
  }

  /// Sets the limits of a call once its headers are known.
  mutating func begin(maxLength: Int, permitsCompression: Bool) {
    self.maxLength = maxLength
    self.permitsCompression = permitsCompression
  }

  /// The bytes that were not read.
  var bufferedBytes: Int { buffer.readableBytes }

  /// Whether a prefix or a message is incomplete.
  var isIncomplete: Bool { missing > 0 || buffer.writerIndex > unchecked }

  /// The missing bytes of the incomplete message; 0 while its prefix is incomplete.
  var missingBytes: Int { max(0, missing - (buffer.writerIndex - unchecked)) }

  /// Appends the payload of a DATA frame.
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

  /// Whether the next message is complete and not compressed.
  var nextIsPlain: Bool {
    completeMessages > 0 && buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == 0
  }

  /// The bytes of the next complete message without removing it; nil if there is none, or it is compressed.
  var plainMessage: ByteBuffer? {
    guard nextIsPlain, let length = buffer.getInteger(at: buffer.readerIndex + 1, as: UInt32.self)
    else { return nil }
    return buffer.getSlice(at: buffer.readerIndex + Self.prefixLength, length: Int(length))
  }

  /// Removes the next complete message without reading it. There must be one.
  mutating func skip() {
    guard completeMessages > 0, buffer.readableBytes >= Self.prefixLength,
      let length = buffer.getInteger(at: buffer.readerIndex + 1, as: UInt32.self)
    else { return }
    completeMessages -= 1
    buffer.moveReaderIndex(forwardBy: Self.prefixLength + Int(length))
    discardRead()
  }

  /// Returns the next complete message without removing it, or nil.
  func peek() -> Frame? {
    var copy = self
    return copy.next()
  }

  /// Removes and returns the next complete message, or nil.
  mutating func next() -> Frame? {
    guard completeMessages > 0, let flag = buffer.readInteger(as: UInt8.self),
      let length = buffer.readInteger(as: UInt32.self)
    else { return nil }
    completeMessages -= 1
    // Copied, because a slice would share the buffer, and the next write would copy all of it.
    guard let bytes = buffer.readBytes(length: Int(length)) else { return nil }
    discardRead()
    return Frame(bytes: bytes, isCompressed: flag == 1)
  }

  /// Frees the bytes that were read once they are the larger part of the buffer.
  private mutating func discardRead() {
    if buffer.readableBytes == 0 {
      unchecked = 0
      // The memory of a large message is released.
      if buffer.capacity > 64 * 1_024 { buffer = ByteBuffer() } else { buffer.clear() }
      return
    }
    guard buffer.readerIndex > 4_096, buffer.readerIndex > buffer.readableBytes else { return }
    unchecked -= buffer.readerIndex
    buffer.discardReadBytes()
  }

  /// Releases the buffer if it is empty and larger than `limit` bytes.
  mutating func giveBackMemory(beyond limit: Int) {
    if buffer.readableBytes == 0, buffer.capacity > limit { buffer = ByteBuffer() }
  }

  /// Drops everything received.
  mutating func removeAll() { _ = takeBuffer() }

  /// Takes the buffer and its contents, which are dropped.
  mutating func takeBuffer() -> ByteBuffer {
    unchecked = 0
    missing = 0
    completeMessages = 0
    return exchange(&buffer, with: ByteBuffer())
  }
}
