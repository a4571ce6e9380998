import Synchronization

/// Bytes that many calls may hold together for a purpose, beyond a little that each holds without asking.
final class CallMemory: Sendable {
  /// Bytes that calls take at once.
  private static let piece = 8 * 1_024
  /// Bytes that a call holds without asking, so that stalled calls do not take everything away from the others.
  private static let least = 1_024

  private let limit: Int
  private let largestShare: Int
  private let taken = Atomic(0)

  /// - Parameters:
  ///   - limit: bytes for all calls, but for what each may hold without asking.
  ///   - largestShare: bytes for one call.
  init(limit: Int, largestShare: Int) {
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
  /// `@unchecked Sendable`: a call does one thing at a time.
  final class Share: @unchecked Sendable {
    private let memory: CallMemory
    private var held = 0
    private var taken = 0

    fileprivate init(_ memory: CallMemory) {
      self.memory = memory
    }

    deinit {
      release()
    }

    /// The call holds `count` more bytes. Returns whether it may hold more.
    func hold(_ count: Int) -> Bool {
      held += count
      guard held < memory.largestShare else { return false }
      while held > CallMemory.least + taken {
        guard memory.take(CallMemory.piece) else { return false }
        taken += CallMemory.piece
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
