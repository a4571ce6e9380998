import DequeModule
import Foundation
import UserFiles
import UserServiceClient

/// One import: the rows in flight, the outcomes so far and the progress display. One task reads rows and takes outcomes in
/// turn.
final class ImportRun {
  /// A row without an outcome, or rows after one that have theirs.
  private enum Item {
    /// The row was sent.
    case sent(UserFileRow)
    /// The row is rejected in its turn, so that rejected rows are in the order of the file.
    case rejected(UserFileRow, reason: String)
    /// This many rows have outcomes.
    case done(Int)
  }

  /// How many rows may wait for the outcome of an earlier one. Further rows are rejected out of turn.
  private static let longestWait = 16_384

  private let source: ImportSource
  private var rejected: RejectedRows
  /// Receives the rows that are stored already; nil discards them.
  private var already: RejectedRows?
  /// Finds duplicates in a run that stores nothing, in which the service cannot find them.
  private var duplicates: DuplicateRows?
  private let record: ProgressRecord?
  private let display: ProgressDisplay
  /// The rows that are not settled, in the order of the file.
  private var underWay: Deque<Item> = []
  /// The error that stopped reading the file, if any.
  private(set) var sourceFailure: (any Error)?
  private(set) var counts: ImportCounts
  /// The rows that an earlier run has settled, and this one has not read.
  private var skipped: Int

  /// - Parameters:
  ///   - record: what an earlier run has settled, and where this one is recorded; nil records nothing.
  ///   - isDryRun: whether nothing is stored.
  init(
    _ source: ImportSource, rejected: RejectedRows, already: RejectedRows?, record: ProgressRecord?,
    isDryRun: Bool, display: ProgressDisplay
  ) {
    self.source = source
    self.rejected = rejected
    self.already = already
    self.record = record
    self.display = display
    duplicates = isDryRun ? DuplicateRows() : nil
    counts = record?.progress.counts ?? ImportCounts()
    skipped = counts.rows
  }

  var rejectedPath: String { rejected.path }
  /// The path of the file of rows that are stored already; nil unless it has rows.
  var alreadyPath: String? { already.flatMap { $0.exists ? $0.path : nil } }

  /// Returns the next user to send, or nil at the end of the file or at an unreadable place; rows before it are still sent.
  /// Invalid rows are rejected on the way.
  ///
  /// - Throws: `FileFailure` if the file of rejected rows cannot be written.
  func nextUser() async throws -> ImportedUser? {
    while let row = await nextRow() {
      if skipped > 0 {
        skipped -= 1
        if skipped == 0 { display.begin(at: source.position) }
        continue
      }
      switch row.user {
      case .success(let user):
        guard let problem = duplicates?.problem(of: user, line: row.line) else {
          underWay.append(.sent(row))
          return user
        }
        try reject(row, problem)
      case .failure(let problem): try reject(row, problem.description)
      }
    }
    return nil
  }

  private func nextRow() async -> UserFileRow? {
    do {
      return try await source.next()
    } catch {
      sourceFailure = error
      return nil
    }
  }

  private func reject(_ row: UserFileRow, _ reason: String) throws {
    if underWay.isEmpty {
      try settle(row, reason)
      counts.rows += 1
    } else if underWay.count < Self.longestWait {
      underWay.append(.rejected(row, reason: reason))
    } else {
      try settle(row, reason)
      if case .done(let count)? = underWay.last {
        underWay[underWay.count - 1] = .done(count + 1)
      } else {
        underWay.append(.done(1))
      }
    }
  }

  private func settle(_ row: UserFileRow, _ reason: String) throws {
    try rejected.add(row, source.header, reason: reason)
    counts.rejected += 1
  }

  /// Records the outcomes of the oldest rows in flight.
  ///
  /// - Throws: `FileFailure` if a file of rows that were not stored cannot be written.
  func take(_ batch: ImportBatch) throws {
    var storedID: String?
    // Also if a row cannot be written to its file.
    defer { if let storedID { record?.noteStored(storedID, counts) } }
    for outcome in batch.outcomes {
      guard case .sent(let row)? = underWay.popFirst() else { break }
      switch outcome {
      case .stored(let id):
        counts.imported += 1
        storedID = id
      case .alreadyStored:
        counts.alreadyStored += 1
        try already?.add(row, source.header, reason: "the user is already stored")
      case .failed(let error): try settle(row, Self.reason(error))
      }
      counts.rows += 1
      try settleNext()
    }
    if let id = storedID.take() { record?.noteStored(id, counts) }
    record?.note(counts, rejected, already)
    display.show(counts, readRows: counts.rows + underWay.count, position: source.position)
  }

  /// The names of the contract's fields in a file.
  private static let columns = [
    ("update_time", "updated_at"), ("delete_time", "deleted_at"), ("purge_time", "purge_at"),
  ]

  private static func reason(_ error: UserServiceError) -> String {
    columns.reduce(error.description) { text, names in text.replacing(names.0, with: names.1) }
  }

  /// Settles the rows before the next row in flight.
  private func settleNext() throws {
    while let item = underWay.first {
      switch item {
      case .sent: return
      case .rejected(let row, let reason):
        try settle(row, reason)
        counts.rows += 1
      case .done(let count): counts.rows += count
      }
      underWay.removeFirst()
    }
  }

  /// Removes the progress display from the terminal, and records how far the import has come, or that it has ended.
  func end(isComplete: Bool) {
    display.end()
    record?.end(counts, rejected, already, isComplete: isComplete)
  }
}

/// The users of an import, in order.
struct ImportUsers: AsyncSequence {
  let run: ImportRun

  struct Iterator: AsyncIteratorProtocol {
    let run: ImportRun

    mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> ImportedUser? {
      try await run.nextUser()
    }

    mutating func next() async throws -> ImportedUser? { try await next(isolation: nil) }
  }

  func makeAsyncIterator() -> Iterator { Iterator(run: run) }
}
