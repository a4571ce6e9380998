import Synchronization

/// Counts the updates that the service has not answered. The idle limit applies only while there are some, and not
/// while the application processes a response.
final class UnansweredUpdates: Sendable {
  private struct State {
    var count = 0
    /// Whether a response waits for the application.
    var isReading = false
  }

  private let state = Mutex(State())

  /// Records an update that is sent.
  func sent(_ idle: IdleLimit) {
    state.withLock { state in
      state.count += 1
      // For later updates the limit is already running.
      if state.count == 1, !state.isReading { idle.restart() }
    }
  }

  /// Records a response.
  ///
  /// - Throws: the error of ``IdleLimit/pause()``.
  func received(_ idle: IdleLimit) throws {
    try state.withLock { state in
      state.count -= 1
      state.isReading = true
      try idle.pause()
    }
  }

  /// Records that the application has taken the response.
  func taken(_ idle: IdleLimit) {
    state.withLock { state in
      state.isReading = false
      if state.count > 0 { idle.restart() }
    }
  }
}
