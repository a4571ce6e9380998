import GRPCCore
import Synchronization

/// Ends a call that waits for the service for too long without a sign of it.
final class IdleLimit: Sendable {
  private struct State {
    var limit: Duration
    /// Since when the call waits for the service; nil while the service waits for the call.
    var waitingSince: ContinuousClock.Instant?
    /// Whether the call is being cut off.
    var isOver = false
  }

  private let limit: Duration
  private let clock: CallClock
  private let state: Mutex<State>

  private init(first: Duration, then limit: Duration, clock: CallClock) {
    self.limit = limit
    self.clock = clock
    state = Mutex(State(limit: first, waitingSince: clock.now()))
  }

  /// The service has given a sign of itself, or is asked for one from now on.
  func restart() {
    state.withLock { state in
      if !state.isOver { state = State(limit: limit, waitingSince: clock.now()) }
    }
  }

  /// It is not the service that is waited for.
  ///
  /// - Throws: `CancellationError` if the call is being cut off: what it does next must not count as done.
  func pause() throws {
    try state.withLock { state in
      if state.isOver { throw CancellationError() }
      state.waitingSince = nil
    }
  }

  /// Does `body`, and cancels it when the limit has passed: `first` until ``restart()`` is called, then `limit`.
  ///
  /// - Throws: `RPCError` with the code `deadlineExceeded`, and what `body` throws.
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
        // Two tasks, so there is a first.
        if case let value?? = try await group.next() { return value }
      } catch  where !idle.state.withLock({ $0.isOver }) {
        throw error
      }
      throw RPCError(code: .deadlineExceeded, message: "no sign of the service")
    }
  }

  private func wait() async throws {
    while true {
      let end = state.withLock { state -> ContinuousClock.Instant? in
        let now = clock.now()
        let end = (state.waitingSince ?? now) + state.limit
        state.isOver = end <= now
        return state.isOver ? nil : end
      }
      guard let end else { return }
      try await clock.sleep(end)
    }
  }
}
