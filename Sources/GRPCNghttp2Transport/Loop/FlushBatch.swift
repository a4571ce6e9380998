/// The connections of an event loop that have something to send, which write once a turn, in the order in which they said so.
struct FlushBatch {
  private var flushes: [() -> Void] = []

  var isEmpty: Bool { flushes.isEmpty }

  /// A connection has something to send.
  mutating func add(_ flush: @escaping () -> Void) { flushes.append(flush) }

  /// Those that have said so until now.
  mutating func take() -> [() -> Void] {
    defer { flushes.removeAll(keepingCapacity: true) }
    return flushes
  }
}
