import Synchronization

/// A monotonic clock that tests move.
public final class VirtualClock: Sendable {
  private struct State {
    var now = ContinuousClock.now
    var sleepers:
      [UInt64: (end: ContinuousClock.Instant, continuation: CheckedContinuation<Void, any Error>)] = [:]
    var next: UInt64 = 0
  }

  private let state = Mutex(State())

  public init() {}

  /// The clock's time.
  public var now: ContinuousClock.Instant { state.withLock { $0.now } }

  /// The time when the first sleeper wakes; nil while none sleeps.
  public var nextWake: ContinuousClock.Instant? { state.withLock { $0.sleepers.values.map(\.end).min() } }

  /// Moves the clock forwards, and wakes the sleepers whose time has come.
  public func advance(by duration: Duration) {
    let due = state.withLock { state in
      state.now += duration
      let now = state.now
      let due = state.sleepers.filter { $0.value.end <= now }
      for id in due.keys { state.sleepers[id] = nil }
      return due.values.map(\.continuation)
    }
    for continuation in due { continuation.resume() }
  }

  /// Returns once the clock has reached `end`.
  ///
  /// - Throws: `CancellationError` once the task is cancelled.
  public func sleep(until end: ContinuousClock.Instant) async throws {
    let id = state.withLock { state in
      state.next += 1
      return state.next
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let outcome = state.withLock { state -> Result<Void, any Error>? in
          if Task.isCancelled { return .failure(CancellationError()) }
          if end <= state.now { return .success(()) }
          state.sleepers[id] = (end, continuation)
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      let sleeper = state.withLock { $0.sleepers.removeValue(forKey: id) }
      sleeper?.continuation.resume(throwing: CancellationError())
    }
  }
}
