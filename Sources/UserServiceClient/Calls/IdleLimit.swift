import GRPCCore
import Synchronization

/// Cancels a call when the service shows no activity for too long.
final class IdleLimit: Sendable {
  private struct State {
    var limit: Duration
    /// The time since which the call has waited for the service; nil while it does not wait.
    var waitingSince: ContinuousClock.Instant?
    /// Whether the limit has passed and the call is being cancelled.
    var hasExpired = false
  }

  private let limit: Duration
  private let clock: CallClock
  private let state: Mutex<State>

  private init(first: Duration, then limit: Duration, clock: CallClock) {
    self.limit = limit
    self.clock = clock
    state = Mutex(State(limit: first, waitingSince: clock.now()))
  }

  /// Starts the limit anew, after activity of the service or when the call begins to wait for it.
  func restart() {
    state.withLock { state in
      if !state.hasExpired { state = State(limit: limit, waitingSince: clock.now()) }
    }
  }

  /// Suspends the limit while the call does not wait for the service.
  ///
  /// - Throws: `CancellationError` if the limit has passed; the call must not report success afterwards.
  func pause() throws {
    try state.withLock { state in
      if state.hasExpired { throw CancellationError() }
      state.waitingSince = nil
    }
  }

  /// Runs `body`, and cancels it when the limit has passed: `first` until ``restart()`` is called, then `limit`.
  ///
  /// - Throws: `RPCError` with the code `deadlineExceeded`, and the errors of `body`.
  static func run<Value: Sendable>(
    first: Duration, then limit: Duration, clock: CallClock = .continuous,
    _ body: @escaping @Sendable (IdleLimit) async throws -> Value
  ) async throws -> Value {
    let idle = IdleLimit(first: first, then: limit, clock: clock)
    return try await withThrowingTaskGroup(of: Value?.self) { group in
      group.addTask { try await body(idle) }
      group.addTask {
        try await idle.wait()
        return nil
      }
      defer { group.cancelAll() }
      do {
        // The group has two tasks, so a first result exists.
        if case let value?? = try await group.next() { return value }
      } catch  where !idle.state.withLock({ $0.hasExpired }) {
        throw error
      }
      throw RPCError(code: .deadlineExceeded, message: "no activity of the service")
    }
  }

  private func wait() async throws {
    while true {
      let end = state.withLock { state -> ContinuousClock.Instant? in
        let now = clock.now()
        let end = (state.waitingSince ?? now) + state.limit
        state.hasExpired = end <= now
        return state.hasExpired ? nil : end
      }
      guard let end else { return }
      try await clock.sleep(end)
    }
  }
}
