import Synchronization

/// Bytes that all connections of a transport may hold together.
///
/// Connections take from it in large pieces, and only what exceeds a share that each has without asking.
final class MemoryBudget: Sendable {
  private let limit: Int
  private let taken = Atomic(0)

  init(limit: Int) {
    self.limit = limit
  }

  /// Bytes that have been taken.
  var inUse: Int { taken.load(ordering: .relaxed) }

  /// Takes `count` bytes. Returns false, and takes nothing, if that many are not left.
  func take(_ count: Int) -> Bool {
    if taken.add(count, ordering: .relaxed).newValue <= limit { return true }
    taken.subtract(count, ordering: .relaxed)
    return false
  }

  /// Gives back `count` bytes that were taken.
  func giveBack(_ count: Int) {
    taken.subtract(count, ordering: .relaxed)
  }
}
