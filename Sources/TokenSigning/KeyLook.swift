import Synchronization

/// Reads of the key files, one at a time. Waiting callers share the next read to begin, so they see everything written
/// before it. Impatient callers cannot make reads follow each other closely.
final class KeyLook: Sendable {
  private struct State {
    /// The read that has not begun.
    var next: Task<[KeyEvent], Never>?
    /// The read that was requested last, begun or not.
    var latest: Task<[KeyEvent], Never>?
    var latestBegan: ContinuousClock.Instant?
  }

  private let state = Mutex(State())

  /// Runs `look` off the caller's executor, at least `spacing` after the last one began, and returns its events.
  func run(spacing: Duration, _ look: @escaping @Sendable () async -> [KeyEvent]) async -> [KeyEvent] {
    let task = state.withLock { state in
      if let next = state.next { return next }
      let (previous, previousBegan) = (state.latest, state.latestBegan)
      let task = Task.detached {
        _ = await previous?.value
        let pause = previousBegan.map { $0 + spacing - .now } ?? .zero
        // A detached task without an outside handle is never cancelled, so the pause is never cut short.
        if pause > .zero { try? await Task.sleep(for: pause) }
        self.begin()
        return await look()
      }
      state.next = task
      state.latest = task
      return task
    }
    return await task.value
  }

  private func begin() {
    state.withLock { state in
      state.next = nil
      state.latestBegan = .now
    }
  }
}
