import GRPCCore

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
  private var buffer: ByteQueue
  /// The offset in `buffer` of the first prefix that was not checked.
  private var unchecked = 0
  /// The length of the message at `unchecked` with its prefix, or 0 while the prefix is incomplete.
  private var missing = 0
  private(set) var completeMessages = 0

  /// Creates a deframer with the empty buffer `buffer`.
  init(maxLength: Int, permitsCompression: Bool = false, buffer: ByteQueue = ByteQueue()) {
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
  var bufferedBytes: Int { buffer.count }

  /// Whether a prefix or a message is incomplete.
  var isIncomplete: Bool { missing > 0 || buffer.count > unchecked }

  /// The missing bytes of the incomplete message; 0 while its prefix is incomplete.
  var missingBytes: Int { max(0, missing - (buffer.count - unchecked)) }

  /// Appends the payload of a DATA frame.
  ///
  /// - Throws: `RPCError` that ends the call: a message that is too large, a reserved flag, or a compressed
  ///   message in a call that names no encoding.
  mutating func receive(_ bytes: UnsafeRawBufferPointer) throws(RPCError) {
    buffer.append(bytes)
    while missing <= buffer.count - unchecked {
      if missing > 0 {
        unchecked += missing
        missing = 0
        completeMessages += 1
      }
      guard buffer.count - unchecked >= Self.prefixLength else { return }
      let length = buffer.number(at: unchecked + 1)
      try check(flag: buffer[unchecked], length: length)
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
    completeMessages > 0 && buffer[0] == 0
  }

  /// The bytes of the next complete message without removing it; nil if there is none, or it is compressed.
  var plainMessage: ArraySlice<UInt8>? {
    guard nextIsPlain else { return nil }
    return buffer.slice(Self.prefixLength..<Self.prefixLength + Int(buffer.number(at: 1)))
  }

  /// Removes the next complete message without reading it. There must be one.
  mutating func skip() {
    guard completeMessages > 0 else { return }
    remove(Self.prefixLength + Int(buffer.number(at: 1)))
  }

  /// Returns the next complete message without removing it, or nil.
  func peek() -> Frame? {
    var copy = self
    return copy.next()
  }

  /// Removes and returns the next complete message, or nil.
  mutating func next() -> Frame? {
    guard completeMessages > 0 else { return nil }
    let isCompressed = buffer[0] == 1
    let end = Self.prefixLength + Int(buffer.number(at: 1))
    // Copied, because a slice would share the buffer, and the next write would copy all of it.
    let bytes = buffer.withUnsafeBytes { Array($0[Self.prefixLength..<end]) }
    remove(end)
    return Frame(bytes: bytes, isCompressed: isCompressed)
  }

  /// Removes the first message, of `count` bytes with its prefix.
  private mutating func remove(_ count: Int) {
    completeMessages -= 1
    unchecked -= count
    buffer.removeFirst(count)
    // The memory of a large message is released.
    if buffer.isEmpty { buffer.removeAll(keepingAtMost: 64 * 1_024) }
  }

  /// Releases the buffer if it is empty and larger than `limit` bytes.
  mutating func giveBackMemory(beyond limit: Int) {
    if buffer.isEmpty { buffer.removeAll(keepingAtMost: limit) }
  }

  /// Drops everything received.
  mutating func removeAll() { _ = takeBuffer() }

  /// Takes the buffer and its contents, which are dropped.
  mutating func takeBuffer() -> ByteQueue {
    unchecked = 0
    missing = 0
    completeMessages = 0
    return exchange(&buffer, with: ByteQueue())
  }
}
