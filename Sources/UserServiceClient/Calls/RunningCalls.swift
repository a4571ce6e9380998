import Synchronization

/// The client's streaming calls that are being iterated, so that they can be cancelled when the client ends.
final class RunningCalls: Sendable {
  private struct State {
    var tasks: [UInt64: Task<Void, Never>] = [:]
    var next: UInt64 = 0
    var isCancelled = false
  }

  private let state = Mutex(State())

  func add(_ task: Task<Void, Never>) {
    let number = state.withLock { state -> UInt64? in
      if state.isCancelled { return nil }
      state.next += 1
      state.tasks[state.next] = task
      return state.next
    }
    guard let number else { return task.cancel() }
    Task { [weak self] in
      await task.value
      self?.state.withLock { _ = $0.tasks.removeValue(forKey: number) }
    }
  }

  /// Cancels the running calls, and every later one.
  func cancelAll() {
    let tasks = state.withLock { state in
      state.isCancelled = true
      return Array(state.tasks.values)
    }
    for task in tasks { task.cancel() }
  }
}
