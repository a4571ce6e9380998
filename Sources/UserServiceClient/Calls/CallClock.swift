/// The time that a call waits by. Tests move one of their own.
struct CallClock: Sendable {
  let now: @Sendable () -> ContinuousClock.Instant
  /// Returns at that instant.
  ///
  /// - Throws: `CancellationError` once the task is cancelled.
  let sleep: @Sendable (_ until: ContinuousClock.Instant) async throws -> Void

  /// The system's.
  static let continuous = CallClock(
    now: { .now }, sleep: { end in try await Task.sleep(until: end, clock: .continuous) })
}
