import Synchronization

/// How many updates of a stream the service has not answered: only then does the stream wait for it, and not while
/// whoever reads the answers takes its time.
final class UnansweredUpdates: Sendable {
  private struct State {
    var count = 0
    /// Whether an answer waits for its reader.
    var isReading = false
  }

  private let state = Mutex(State())

  /// An update is sent.
  func sent(_ idle: IdleLimit) {
    state.withLock { state in
      state.count += 1
      // Those before it have their time running.
      if state.count == 1, !state.isReading { idle.restart() }
    }
  }

  /// An answer has come.
  ///
  /// - Throws: as ``IdleLimit/pause()``.
  func received(_ idle: IdleLimit) throws {
    try state.withLock { state in
      state.count -= 1
      state.isReading = true
      try idle.pause()
    }
  }

  /// The reader has the answer.
  func taken(_ idle: IdleLimit) {
    state.withLock { state in
      state.isReading = false
      if state.count > 0 { idle.restart() }
    }
  }
}
