/// The recycled buffers of a call.
struct StreamMemory {
  /// Buffers larger than this, in bytes, are released.
  private static let largest = 4_096

  var fields = RequestFields()
  var request = ByteQueue()
  var response = ByteQueue()

  /// Whether the buffers are worth keeping and small enough.
  fileprivate var isReusable: Bool {
    max(fields.capacity, request.capacity, response.capacity) <= Self.largest && response.capacity > 0
  }

  /// Empties the buffers and keeps their capacity.
  fileprivate mutating func clear() {
    fields.removeAll()
    request.removeAll()
    response.removeAll()
  }
}

/// Recycled buffers of calls, shared by the connections of an event loop and confined to it.
final class StreamMemoryPool {
  private static let largest = 256

  private var spare: [StreamMemory] = []

  /// Returns empty buffers for a call.
  func take() -> StreamMemory { spare.popLast() ?? StreamMemory() }

  /// Releases the buffers.
  func removeAll() { spare = [] }

  /// Takes back the buffers of a call that has ended.
  func giveBack(_ memory: consuming StreamMemory) {
    guard memory.isReusable, spare.count < Self.largest else { return }
    memory.clear()
    spare.append(memory)
  }
}
