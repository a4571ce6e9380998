public import Testing

/// Returns once `condition` holds. Polls it with growing pauses.
///
/// - Throws: errors of `condition`. Fails the test with `what` if it does not hold within `limit`.
public func eventually(
  _ what: String, within limit: Duration = .seconds(120), sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Bool
) async throws {
  let end = ContinuousClock.now + limit
  var pause = Duration.microseconds(100)
  while !(try await condition()) {
    try #require(.now < end, "waited for \(limit): \(what)", sourceLocation: sourceLocation)
    try await Task.sleep(for: pause)
    pause = min(pause * 2, .milliseconds(50))
  }
}

/// Returns once the calling task is cancelled.
public func untilCancelled() async {
  while !Task.isCancelled {
    // Cancelling the task ends the sleep, and so the loop.
    try? await Task.sleep(for: .seconds(3_600))
  }
}
