import GRPCCore
import Synchronization

/// Ends a call that waits for the service for too long without a sign of it.
final class IdleLimit: Sendable {
  private let limit: Duration
  /// Since when the call waits for the service; nil while the service waits for the call.
  private let waitingSince = Mutex<ContinuousClock.Instant?>(.now)

  init(_ limit: Duration) {
    self.limit = limit
  }

  /// The service has given a sign of itself, or is asked for one from now on.
  func restart() { waitingSince.withLock { $0 = .now } }

  /// It is not the service that is waited for.
  func pause() { waitingSince.withLock { $0 = nil } }

  /// Does `body`, and cancels it when the limit has passed.
  ///
  /// - Throws: `RPCError` with the code `deadlineExceeded`, and what `body` throws.
  static func run<Value: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable (IdleLimit) async throws -> Value
  ) async throws -> Value {
    let idle = IdleLimit(limit)
    return try await withThrowingTaskGroup(of: Value?.self) { group in
      group.addTask { try await body(idle) }
      group.addTask {
        try await idle.wait()
        return nil
      }
      defer { group.cancelAll() }
      // Two tasks, so there is a first.
      guard case let value?? = try await group.next() else {
        throw RPCError(code: .deadlineExceeded, message: "no sign of the service for \(limit)")
      }
      return value
    }
  }

  private func wait() async throws {
    while true {
      let end = (waitingSince.withLock { $0 } ?? .now) + limit
      if end <= .now { return }
      try await Task.sleep(until: end, clock: .continuous)
    }
  }
}
