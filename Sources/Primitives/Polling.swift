/// Work that is repeated as long as a task runs, where nothing tells when there is something to do: files that another
/// program replaces, a database that another process changes.
public struct Polling: Sendable {
  private let interval: Duration
  private let sleep: @Sendable (Duration) async throws -> Void

  /// Turns with pauses of `interval` between them.
  public init(every interval: Duration) {
    self.init(every: interval) { try await Task.sleep(for: $0) }
  }

  /// Turns with pauses that `sleep` makes. It throws when there is to be no further turn.
  package init(every interval: Duration, sleep: @escaping @Sendable (Duration) async throws -> Void) {
    self.interval = interval
    self.sleep = sleep
  }

  /// Calls `turn` at once, and again after each pause, until the task is cancelled.
  public func run(_ turn: () async -> Void) async {
    while !Task.isCancelled {
      await turn()
      // Ends early, by throwing, when the task is cancelled.
      do { try await sleep(interval) } catch { return }
    }
  }
}

/// The problem that repeated work has now, if any: remembered, so that each is reported once and not every turn.
public struct CurrentProblem<Problem: Equatable> {
  private var problem: Problem?

  /// No problem.
  public init() {}

  /// Notes what the last turn has found, nil for no problem. Returns whether that differs from the turn before.
  @discardableResult
  public mutating func changes(to problem: Problem?) -> Bool {
    defer { self.problem = problem }
    return problem != self.problem
  }
}

extension CurrentProblem: Sendable where Problem: Sendable {}
