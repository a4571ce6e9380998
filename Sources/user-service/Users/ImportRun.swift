import DequeModule
import Foundation
import UserFiles
import UserServiceClient

/// One import: the rows in flight, the outcomes so far and the progress display.
///
/// `@unchecked Sendable`: the bulk load requests users and reports batches sequentially, in one task.
final class ImportRun: @unchecked Sendable {
  private let source: ImportSource
  private var rejected: RejectedRows
  /// Receives the rows whose address is already registered; nil discards them.
  private var already: RejectedRows?
  /// Rows whose users were sent and whose outcome is not yet known.
  private var underWay: Deque<UserFileRow> = []
  /// The error that stopped reading the file, if any.
  private(set) var sourceFailure: (any Error)?
  private var created = 0
  private var registered = 0
  private let showsProgress: Bool
  private let begin = ContinuousClock.now
  private var shownAt: ContinuousClock.Instant?

  init(_ source: ImportSource, rejected: RejectedRows, already: RejectedRows?, showsProgress: Bool) {
    self.source = source
    self.rejected = rejected
    self.already = already
    self.showsProgress = showsProgress && isatty(STDERR_FILENO) == 1
  }

  var rejectedCount: Int { rejected.count }
  var alreadyCount: Int { already?.count ?? 0 }

  /// The users of the file, in order. Invalid rows are rejected on the way.
  var users: AsyncThrowingStream<NewUser, any Error> {
    AsyncThrowingStream {
      while let row = await self.next() {
        switch row.user {
        case .success(let user):
          self.underWay.append(row)
          return user
        case .failure(let problem):
          try self.reject(row, problem.description)
        }
      }
      return nil
    }
  }

  /// Returns the next row, or nil at the end of the file or at an unreadable place; rows before it are still sent.
  private func next() async -> UserFileRow? {
    do {
      return try await source.next()
    } catch {
      sourceFailure = error
      return nil
    }
  }

  /// Records the outcomes of the oldest rows in flight.
  func take(_ batch: BulkBatch) throws {
    for (row, outcome) in zip(underWay, batch.outcomes) {
      switch outcome {
      case .success: created += 1
      case .failure(.emailAlreadyRegistered):
        registered += 1
        try already?.add(row, source.header, reason: UserServiceError.emailAlreadyRegistered.description)
      case .failure(let error): try reject(row, error.description)
      }
    }
    underWay.removeFirst(min(batch.outcomes.count, underWay.count))
    showProgress()
  }

  private func reject(_ row: UserFileRow, _ reason: String) throws {
    try rejected.add(row, source.header, reason: reason)
  }

  private func showProgress() {
    guard showsProgress else { return }
    var size = winsize()
    let width = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    let line = ProgressBar(total: source.size).line(
      done: source.position, rows: created + registered + rejected.count, elapsed: .now - begin,
      width: width - 1)
    Terminal.showProgress(line)
    shownAt = .now
  }

  /// Removes the progress display from the terminal.
  func end() {
    if shownAt != nil { Terminal.showProgress("") }
  }

  /// The counts of created, already registered and rejected rows.
  var summary: String {
    let numbers = [created, registered, rejected.count].map(ProgressBar.grouped)
    return "\(numbers[0]) created, \(numbers[1]) already registered, \(numbers[2]) rejected"
  }
}
