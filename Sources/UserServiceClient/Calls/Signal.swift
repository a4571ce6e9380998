import Synchronization

/// Wakes one task that waits for another.
final class Signal: Sendable {
  private struct State {
    /// Whether the signal was set while no task waited.
    var isSet = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  /// Wakes the waiting task, or else the next one that waits.
  func set() {
    state.withLock { state in
      defer { state.waiter = nil }
      if state.waiter == nil { state.isSet = true }
      return state.waiter
    }?.resume()
  }

  /// Returns once the signal is set, or the task is cancelled. Only one task may wait at a time. It may return early, so
  /// the caller checks what it waits for.
  func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isSet = state.withLock { state in
          if state.isSet {
            state.isSet = false
            return true
          }
          state.waiter = continuation
          return false
        }
        if isSet { continuation.resume() }
      }
    } onCancel: {
      set()
    }
  }
}
