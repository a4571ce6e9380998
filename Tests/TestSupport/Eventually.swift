public import Testing

/// Returns once `condition` holds, which it asks for again and again with growing pauses.
///
/// - Throws: what `condition` throws; and fails the test with `what` if it does not hold within `limit`.
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
    // Throws once the task is cancelled, which ends the loop.
    try? await Task.sleep(for: .seconds(3_600))
  }
}
