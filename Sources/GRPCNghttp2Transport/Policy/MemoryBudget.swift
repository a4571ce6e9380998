import Synchronization

/// The bytes that all connections of a transport may hold together.
///
/// Connections take large pieces of it, and only for what exceeds the share that each has without asking.
final class MemoryBudget: Sendable {
  private let limit: Int
  private let taken = Atomic(0)

  init(limit: Int) {
    self.limit = limit
  }

  /// The bytes in use.
  var inUse: Int { taken.load(ordering: .relaxed) }

  /// Takes `count` bytes. Returns false, and takes nothing, if fewer are left.
  func take(_ count: Int) -> Bool {
    if taken.add(count, ordering: .relaxed).newValue <= limit { return true }
    taken.subtract(count, ordering: .relaxed)
    return false
  }

  /// Returns `count` bytes.
  func giveBack(_ count: Int) {
    taken.subtract(count, ordering: .relaxed)
  }
}
