import Synchronization

/// A budget of bytes that many calls share for one purpose, beyond a small reserve for each call.
final class CallMemory: Sendable {
  /// The bytes that a call takes at once.
  private static let piece = 8 * 1_024
  /// The bytes that each call holds without taking, so that stalled calls cannot starve the others.
  private static let least = 1_024

  private let limit: Int
  private let largestShare: Int
  private let taken = Atomic(0)

  /// - Parameters:
  ///   - limit: bytes for all calls together, without their reserves.
  ///   - largestShare: bytes for one call.
  init(limit: Int, largestShare: Int) {
    self.limit = limit
    self.largestShare = largestShare
  }

  /// Returns the empty share of a new call.
  func share() -> Share { Share(self) }

  private func take(_ count: Int) -> Bool {
    if taken.add(count, ordering: .relaxed).newValue <= limit { return true }
    giveBack(count)
    return false
  }

  private func giveBack(_ count: Int) {
    taken.subtract(count, ordering: .relaxed)
  }

  /// The share of one call, released at the latest when it is deinitialised.
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

    /// Adds `count` bytes to the share. Returns whether the call may hold them.
    func hold(_ count: Int) -> Bool {
      held += count
      guard held < memory.largestShare else { return false }
      while held > CallMemory.least + taken {
        guard memory.take(CallMemory.piece) else { return false }
        taken += CallMemory.piece
      }
      return true
    }

    /// Reduces the share to `count` bytes, if it is more.
    func shrink(to count: Int) {
      guard count < held else { return }
      held = count
      let pieces = (max(count - CallMemory.least, 0) + CallMemory.piece - 1) / CallMemory.piece
      let needed = min(pieces * CallMemory.piece, taken)
      memory.giveBack(taken - needed)
      taken = needed
    }

    /// Releases everything that the call holds.
    func release() {
      memory.giveBack(taken)
      held = 0
      taken = 0
    }
  }
}
