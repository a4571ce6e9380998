/// Work repeated while a task runs, where no event announces new work: files that another program replaces, or a
/// database that another process changes.
public struct Polling: Sendable {
  private let interval: Duration
  private let sleep: @Sendable (Duration) async throws -> Void

  /// Creates polling with pauses of `interval` between turns.
  public init(every interval: Duration) {
    self.init(every: interval) { try await Task.sleep(for: $0) }
  }

  /// Creates polling with pauses made by `sleep`, which throws to end the polling.
  package init(every interval: Duration, sleep: @escaping @Sendable (Duration) async throws -> Void) {
    self.interval = interval
    self.sleep = sleep
  }

  /// Calls `turn` immediately, and again after each pause, until the task is cancelled.
  public func run(_ turn: () async -> Void) async {
    while !Task.isCancelled {
      await turn()
      // Cancelling the task ends the pause early, by an error.
      do { try await sleep(interval) } catch { return }
    }
  }
}

/// The current problem of repeated work, if any. It is kept so that each problem is reported once, not every turn.
public struct CurrentProblem<Problem: Equatable> {
  private var problem: Problem?

  /// Creates a state without a problem.
  public init() {}

  /// Records the problem of the last turn, nil for none. Returns whether it differs from the previous turn's.
  @discardableResult
  public mutating func changes(to problem: Problem?) -> Bool {
    defer { self.problem = problem }
    return problem != self.problem
  }
}

extension CurrentProblem: Sendable where Problem: Sendable {}
