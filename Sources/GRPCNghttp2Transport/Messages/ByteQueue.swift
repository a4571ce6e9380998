/// Bytes that are appended at one end and removed at the other, in one recycled array.
///
/// NIO's `ByteBuffer` would cost several times as much for the few bytes of a call: its storage is an object, each access
/// of which is checked for exclusivity, and empty buffers share one that all event loops count references of.
struct ByteQueue {
  private static let smallest = 64

  /// All of it is initialized; the contents are `start..<end`.
  private var storage: [UInt8] = []
  private var start = 0
  private var end = 0

  /// The number of bytes in the queue.
  var count: Int { end - start }

  var isEmpty: Bool { start == end }

  /// The bytes for which there is memory.
  var capacity: Int { storage.count }

  /// Creates an empty queue, which allocates nothing.
  init() {}

  init(_ bytes: [UInt8]) {
    storage = bytes
    end = bytes.count
  }

  // MARK: Reading

  /// Calls `body` with the contents.
  func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try storage.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
  }

  /// The byte at `offset`, which must be less than ``count``.
  subscript(offset: Int) -> UInt8 {
    precondition(offset < count)
    return storage[start + offset]
  }

  /// The big-endian number in the four bytes from `offset`, all of which must be in the queue.
  func number(at offset: Int) -> UInt32 {
    precondition(offset + 4 <= count)
    return storage.withUnsafeBytes {
      UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: start + offset, as: UInt32.self))
    }
  }

  /// A part of the contents, which shares their memory: while it exists, a change of the queue copies them.
  func slice(_ offsets: Range<Int>) -> ArraySlice<UInt8> {
    precondition(offsets.upperBound <= count)
    return storage[start + offsets.lowerBound..<start + offsets.upperBound]
  }

  // MARK: Writing

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    append(atMost: bytes.count) { room in
      if let base = bytes.baseAddress { room.baseAddress?.copyMemory(from: base, byteCount: bytes.count) }
      return bytes.count
    }
  }

  /// Appends what `write` writes: it is given room for `count` bytes, whose contents are not specified, and returns how
  /// many of them it has written.
  mutating func append(atMost count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Int) {
    if storage.count - end < count { makeRoom(for: count) }
    let written = storage.withUnsafeMutableBytes {
      write(UnsafeMutableRawBufferPointer(rebasing: $0[end..<end + count]))
    }
    precondition(written <= count)
    end += written
  }

  private mutating func makeRoom(for count: Int) {
    // At most as much moves as was removed, so that this, too, takes constant time a byte on average.
    if start >= self.count, self.count + count <= storage.count { return moveToBeginning() }
    // Half as large again, so that appending takes constant time a byte on average; no more, because a thousand calls may
    // wait with a message each.
    let size = max(self.count + count, storage.count + storage.count / 2, Self.smallest)
    var larger = [UInt8](repeating: 0, count: size)
    withUnsafeBytes { contents in larger.withUnsafeMutableBytes { $0.copyMemory(from: contents) } }
    (storage, start, end) = (larger, 0, self.count)
  }

  private mutating func moveToBeginning() {
    let contents = start..<end
    storage.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[contents])) }
    (start, end) = (0, contents.count)
  }

  /// Replaces bytes of the queue from `offset`.
  mutating func replace(at offset: Int, with bytes: [UInt8]) {
    precondition(offset + bytes.count <= count)
    storage.replaceSubrange(start + offset..<start + offset + bytes.count, with: bytes)
  }

  // MARK: Removing

  /// Removes the first `count` bytes.
  mutating func removeFirst(_ count: Int) {
    precondition(count <= self.count)
    start += count
    if isEmpty { (start, end) = (0, 0) }
  }

  /// Removes the bytes from `count` on.
  mutating func truncate(to count: Int) {
    precondition(count <= self.count)
    end = start + count
  }

  /// Removes all bytes and keeps the memory.
  mutating func removeAll() { (start, end) = (0, 0) }

  /// Removes all bytes, and releases the memory if it is larger than `limit` bytes.
  mutating func removeAll(keepingAtMost limit: Int) {
    if capacity > limit { self = ByteQueue() } else { removeAll() }
  }
}

extension ByteQueue: Equatable {
  static func == (left: ByteQueue, right: ByteQueue) -> Bool {
    left.withUnsafeBytes { left in right.withUnsafeBytes { left.elementsEqual($0) } }
  }
}
