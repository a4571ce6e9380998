import Synchronization

/// Bytes of rows that wait for their batches, of all bulk calls together. A call for which there are none stores the
/// rows that it has, so that many calls have smaller batches, and none fails.
final class BatchMemory: Sendable {
  /// Bytes that calls take at once.
  private static let piece = 16 * 1_024
  /// Bytes that a call holds without asking, so that stalled calls do not take the others' batches away.
  private static let least = 4 * 1_024

  private let limit: Int
  private let largestShare: Int
  private let taken = Atomic(0)

  /// - Parameters:
  ///   - limit: bytes for all calls, but for what each may hold without asking.
  ///   - largestShare: bytes for one call.
  init(limit: Int = 4 * 1_024 * 1_024, largestShare: Int = 512 * 1_024) {
    self.limit = limit
    self.largestShare = largestShare
  }

  /// What is to be held by a new call.
  func share() -> Share { Share(self) }

  private func take(_ count: Int) -> Bool {
    if taken.add(count, ordering: .relaxed).newValue <= limit { return true }
    giveBack(count)
    return false
  }

  private func giveBack(_ count: Int) {
    taken.subtract(count, ordering: .relaxed)
  }

  /// The share of one call, which is given back at its end at the latest.
  ///
  /// `@unchecked Sendable`: a call holds and releases from one task.
  final class Share: @unchecked Sendable {
    private let memory: BatchMemory
    private var held = 0
    private var taken = 0

    fileprivate init(_ memory: BatchMemory) {
      self.memory = memory
    }

    deinit {
      release()
    }

    /// The call holds `count` more bytes. Returns whether it may hold more.
    func hold(_ count: Int) -> Bool {
      held += count
      guard held < memory.largestShare else { return false }
      while held > BatchMemory.least + taken {
        guard memory.take(BatchMemory.piece) else { return false }
        taken += BatchMemory.piece
      }
      return true
    }

    /// The call holds nothing any more.
    func release() {
      memory.giveBack(taken)
      held = 0
      taken = 0
    }
  }
}
