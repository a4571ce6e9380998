import NIOCore

/// The buffers of a call, for the next call once it is over.
struct StreamMemory {
  /// Buffers of more bytes than this are given back to the system.
  private static let largest = 4_096

  var fields = RequestFields()
  var request = ByteBuffer()
  var response = ByteBuffer()

  /// Whether it is worth keeping, and not too much.
  fileprivate var isReusable: Bool {
    max(fields.capacity, request.capacity, response.capacity) <= Self.largest && response.capacity > 0
  }

  /// Empties the buffers and keeps their memory.
  fileprivate mutating func clear() {
    fields.removeAll()
    request.clear()
    response.clear()
  }
}

/// Recycled buffers of calls, which all connections of an event loop use in turn. Confined to the loop.
final class StreamMemoryPool {
  private static let largest = 256

  private var spare: [StreamMemory] = []

  /// Buffers for a call, which are empty.
  func take() -> StreamMemory { spare.popLast() ?? StreamMemory() }

  /// Takes back the buffers of a call that is over.
  func giveBack(_ memory: consuming StreamMemory) {
    guard memory.isReusable, spare.count < Self.largest else { return }
    memory.clear()
    spare.append(memory)
  }
}
