import DequeModule
import GRPCCore
import Synchronization
import UserProtos

/// The rows of an import that the service has not answered, and the outcomes that the application has not taken.
///
/// The application's task appends rows and takes outcomes; the call's task sends rows and receives results. Rows are kept
/// until they are answered, because they are sent again when the connection is lost.
final class ImportWindow: Sendable {
  /// The most rows that wait for results: two of the service's batches, so that it gets one while it stores the other.
  static let largestCount = 32_768
  /// The most bytes of text of these rows.
  static let largestSize = 16 << 20
  /// The most rows that are written at once.
  static let largestPart = 256

  fileprivate struct Row {
    let user: ImportedUser
    let size: Int
    /// The error of a row that is not sent.
    let problem: UserServiceError?
  }

  fileprivate struct State {
    /// The rows without an outcome, the oldest first.
    var rows: Deque<Row> = []
    /// The number of bytes of their texts.
    var size = 0
    /// How many of `rows` were given to the current attempt.
    var taken = 0
    /// The index of the next result in the current attempt's stream.
    var nextIndex: Int64 = 0
    /// How many rows that were sent in the current attempt have no result.
    var unanswered = 0
    var outcomes: [ImportOutcome] = []
    /// Whether the application has appended its last row.
    var isComplete = false
    /// Whether the call has ended.
    var isClosed = false
  }

  private let state = Mutex(State())
  /// Set when the call can send more.
  private let hasRows = Signal()
  /// Set when the application can append or take more.
  private let hasAnswers = Signal()

  // MARK: The application's task

  /// What the application does next.
  struct Position {
    let hasOutcomes: Bool
    /// Whether the window has no room for another row.
    let isFull: Bool
    /// Whether the call has ended.
    let isClosed: Bool
  }

  /// Appends a row. The caller waits first while the window is full.
  func append(_ user: ImportedUser) -> Position {
    let problem = user.sizeProblem
    // A row that is not sent is not kept either.
    let row =
      problem == nil
      ? Row(user: user, size: user.textSize, problem: nil)
      : Row(user: ImportedUser(email: ""), size: 0, problem: problem)
    let (position, isFirst) = state.withLock { state in
      state.rows.append(row)
      state.size += row.size
      state.settle()
      return (state.position, state.rows.count - state.taken == 1)
    }
    if isFirst { hasRows.set() }
    return position
  }

  /// Ends the rows.
  func complete() {
    state.withLock { $0.isComplete = true }
    hasRows.set()
  }

  /// Takes the outcomes that follow those taken before.
  func takeOutcomes() -> [ImportOutcome] {
    state.withLock { state in
      defer { state.outcomes = [] }
      return state.outcomes
    }
  }

  /// Returns once there are outcomes, room for another row, or no call any more.
  func wait() async -> Position {
    // The last signal may have been taken by an earlier wait.
    if !state.withLock({ $0.isClosed }) {
      await hasAnswers.wait()
      // A service may send results one by one: those of the next milliseconds are taken together. The service has the
      // rest of the window meanwhile. Sleeping throws only when the task is cancelled, which the caller notices.
      try? await Task.sleep(for: .milliseconds(2))
    }
    return state.withLock { $0.position }
  }

  // MARK: The call's task

  /// Prepares an attempt, which sends all unanswered rows again.
  func rewind() {
    state.withLock { state in (state.taken, state.nextIndex, state.unanswered) = (0, 0, 0) }
  }

  /// Returns the next rows to send, or nil after the last. Waits while there are none.
  ///
  /// - Throws: `CancellationError`, and the errors of ``IdleLimit/pause()``.
  func nextRows(_ idle: IdleLimit) async throws -> [ImportedUser]? {
    while true {
      try Task.checkCancellation()
      let (rows, isComplete) = state.withLock { state in (state.take(idle), state.isComplete) }
      if !rows.isEmpty { return rows }
      if isComplete { return nil }
      await hasRows.wait()
      // The application appends rows one after another: those of the next millisecond are sent together.
      try await Task.sleep(for: .milliseconds(1))
    }
  }

  /// Records the results of the oldest rows that were sent.
  ///
  /// - Throws: `RPCError` if it is not the result of the next row, and the errors of ``IdleLimit/pause()``.
  func answer(_ result: User_V1_ImportUserResult, _ idle: IdleLimit) throws {
    let outcome = ImportOutcome(result)
    let isFirst = try state.withLock { state in
      guard state.unanswered > 0, result.index == state.nextIndex, let row = state.rows.popFirst() else {
        throw RPCError(
          code: .internalError, message: "the service reported an unexpected row, \(result.index)")
      }
      state.nextIndex += 1
      state.unanswered -= 1
      state.taken -= 1
      state.size -= row.size
      // Settling may append more outcomes than this one.
      let isFirst = state.outcomes.isEmpty
      state.outcomes.append(outcome)
      state.settle()
      if state.unanswered > 0 { idle.restart() } else { try idle.pause() }
      return isFirst
    }
    if isFirst { hasAnswers.set() }
  }

  /// Checks an attempt that the service has ended without an error.
  ///
  /// - Throws: `RPCError` if rows have no result, or are still to come.
  func checkAnswered() throws {
    let isAnswered = state.withLock { $0.rows.isEmpty && $0.isComplete }
    if !isAnswered {
      throw RPCError(code: .internalError, message: "the service ended the import before its last row")
    }
  }

  /// Records that the call has ended, with an error or without.
  func close() {
    state.withLock { $0.isClosed = true }
    hasAnswers.set()
  }
}

extension ImportWindow.State {
  fileprivate var position: ImportWindow.Position {
    ImportWindow.Position(
      hasOutcomes: !outcomes.isEmpty,
      isFull: rows.count >= ImportWindow.largestCount || size >= ImportWindow.largestSize,
      isClosed: isClosed)
  }

  /// Gives the oldest rows their outcomes if they are not to be sent. Outcomes are in the order of the rows.
  fileprivate mutating func settle() {
    while let problem = rows.first?.problem {
      rows.removeFirst()
      taken = max(taken - 1, 0)
      outcomes.append(.failed(problem))
    }
  }

  /// Takes the next rows to send.
  fileprivate mutating func take(_ idle: IdleLimit) -> [ImportedUser] {
    var users: [ImportedUser] = []
    while taken < rows.count, users.count < ImportWindow.largestPart {
      if rows[taken].problem == nil { users.append(rows[taken].user) }
      taken += 1
    }
    if unanswered == 0, !users.isEmpty { idle.restart() }
    unanswered += users.count
    return users
  }
}
