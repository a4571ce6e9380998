import Foundation

/// The resources that password hashing may use.
public struct HashingLimits: Hashable, Sendable {
  /// The maximum number of hashes computed at once, each on its own thread; by default the number of cores.
  public let threads: Int
  /// The maximum memory of all running hashes in bytes; 256 MiB by default. Others wait.
  public let memoryBudget: Int
  /// The maximum number of waiting hashes; 256 by default. Beyond it, the caller with the most is refused as
  /// overloaded.
  public let queueLength: Int

  /// Creates limits, by default those above. Each is raised to at least 1 (the queue: 0).
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
