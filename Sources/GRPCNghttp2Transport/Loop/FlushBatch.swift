/// The connections of an event loop that have output. Each writes once a turn, in the order of `add(_:)`.
struct FlushBatch {
  private var flushes: [() -> Void] = []

  var isEmpty: Bool { flushes.isEmpty }

  /// Adds a connection that has output.
  mutating func add(_ flush: @escaping () -> Void) { flushes.append(flush) }

  /// Removes and returns the added connections.
  mutating func take() -> [() -> Void] {
    defer { flushes.removeAll(keepingCapacity: true) }
    return flushes
  }
}
