import Foundation

/// What password hashing may take of the machine.
public struct HashingLimits: Hashable, Sendable {
  /// Hashes computed at the same time, each on a thread of its own; by default the cores of the machine.
  public let threads: Int
  /// Bytes that all running hashes may use together; 256 MiB by default. Others wait.
  public let memoryBudget: Int
  /// Hashes that may wait; 256 by default. When there are more, the caller with the most of them is refused as
  /// overloaded.
  public let queueLength: Int

  /// Limits, by default those above; each is brought to at least 1 (the queue: 0).
  public init(
    threads: Int? = nil,
    memoryBudget: Int = 256 << 20,
    queueLength: Int = 256
  ) {
    self.threads = max(threads ?? ProcessInfo.processInfo.activeProcessorCount, 1)
    self.memoryBudget = max(memoryBudget, 1)
    self.queueLength = max(queueLength, 0)
  }
}
