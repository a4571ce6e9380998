import GRPCCore
import Synchronization

/// Ends a call that waits for the service for too long without a sign of it.
final class IdleLimit: Sendable {
  private struct State {
    var limit: Duration
    /// Since when the call waits for the service; nil while the service waits for the call.
    var waitingSince: ContinuousClock.Instant? = .now
  }

  private let limit: Duration
  private let state: Mutex<State>

  private init(first: Duration, then limit: Duration) {
    self.limit = limit
    state = Mutex(State(limit: first))
  }

  /// The service has given a sign of itself, or is asked for one from now on.
  func restart() { state.withLock { $0 = State(limit: limit) } }

  /// It is not the service that is waited for.
  func pause() { state.withLock { $0.waitingSince = nil } }

  /// Does `body`, and cancels it when the limit has passed: `first` until ``restart()`` is called, then `limit`.
  ///
  /// - Throws: `RPCError` with the code `deadlineExceeded`, and what `body` throws.
  static func run<Value: Sendable>(
    first: Duration, then limit: Duration, _ body: @escaping @Sendable (IdleLimit) async throws -> Value
  ) async throws -> Value {
    let idle = IdleLimit(first: first, then: limit)
    return try await withThrowingTaskGroup(of: Value?.self) { group in
      group.addTask { try await body(idle) }
      group.addTask {
        try await idle.wait()
        return nil
      }
      defer { group.cancelAll() }
      // Two tasks, so there is a first.
      guard case let value?? = try await group.next() else {
        throw RPCError(code: .deadlineExceeded, message: "no sign of the service")
      }
      return value
    }
  }

  private func wait() async throws {
    while true {
      let end = state.withLock { ($0.waitingSince ?? .now) + $0.limit }
      if end <= .now { return }
      try await Task.sleep(until: end, clock: .continuous)
    }
  }
}
