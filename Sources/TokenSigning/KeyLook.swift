import Synchronization

/// Looks at the key files, one look at a time. A caller shares the next look to begin with the others that wait for it, so
/// what it knows of was written before the look; and callers in a hurry cannot make looks follow each other closely.
final class KeyLook: Sendable {
  private struct State {
    /// The look that has not begun.
    var next: Task<[KeyEvent], Never>?
    /// The look that was asked for last, begun or not.
    var latest: Task<[KeyEvent], Never>?
    var latestBegan: ContinuousClock.Instant?
  }

  private let state = Mutex(State())

  /// Runs `look` off the caller's executor, at least `spacing` after the last look began, and returns what it has found.
  func run(spacing: Duration, _ look: @escaping @Sendable () async -> [KeyEvent]) async -> [KeyEvent] {
    let task = state.withLock { state in
      if let next = state.next { return next }
      let (previous, previousBegan) = (state.latest, state.latestBegan)
      let task = Task.detached {
        _ = await previous?.value
        let pause = previousBegan.map { $0 + spacing - .now } ?? .zero
        // A detached task without a handle outside is never cancelled, so the pause is never cut short.
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
