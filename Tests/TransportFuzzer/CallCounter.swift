import Synchronization

/// Counts the calls that have begun, and those that still run.
final class CallCounter: Sendable {
  private let counts = Mutex((total: 0, running: 0))

  var total: Int { counts.withLock { $0.total } }
  var running: Int { counts.withLock { $0.running } }

  func begin() {
    counts.withLock { counts in
      counts.total += 1
      counts.running += 1
    }
  }

  func end() { counts.withLock { $0.running -= 1 } }
}
