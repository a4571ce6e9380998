import Synchronization

/// The calls of a client that are iterated over, so that none outlives it.
final class RunningCalls: Sendable {
  private struct State {
    var tasks: [UInt64: Task<Void, Never>] = [:]
    var next: UInt64 = 0
    var isOver = false
  }

  private let state = Mutex(State())

  func add(_ task: Task<Void, Never>) {
    let number = state.withLock { state -> UInt64? in
      if state.isOver { return nil }
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

  /// Cancels those that run, and those to come.
  func cancelAll() {
    let tasks = state.withLock { state in
      state.isOver = true
      return Array(state.tasks.values)
    }
    for task in tasks { task.cancel() }
  }
}
