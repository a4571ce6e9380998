import GRDB
import GRDBSQLite
import UserStore

/// Reports the progress of one migration on a connection, by SQLite's callback for long statements
/// (sqlite.org/c3ref/progress_handler.html).
final class MigrationWatch {
  typealias Report = (MigrationProgress) -> Void

  /// The steps of SQLite's virtual machine between two reports: a few milliseconds.
  private static let steps: Int32 = 100_000

  private let migration: Migration
  private let report: Report
  private let begin = ContinuousClock.now
  private var statement = ""

  private init(_ migration: Migration, _ report: @escaping Report) {
    self.migration = migration
    self.report = report
  }

  /// Runs `body`, which names each statement before it executes it, and reports its progress.
  static func watch<Value>(
    _ migration: Migration, on database: Database, report: Report?,
    _ body: (_ next: (String) -> Void) throws -> Value
  ) rethrows -> Value {
    guard let report else { return try body { _ in } }
    return try withoutActuallyEscaping(report) { report in
      let watch = MigrationWatch(migration, report)
      // Unretained, because the callback is removed before the watch goes.
      sqlite3_progress_handler(
        database.sqliteConnection, steps,
        { watch in
          Unmanaged<MigrationWatch>.fromOpaque(watch!).takeUnretainedValue().tell()
          return 0
        }, Unmanaged.passUnretained(watch).toOpaque())
      defer { sqlite3_progress_handler(database.sqliteConnection, 0, nil, nil) }
      return try withExtendedLifetime(watch) { try body { watch.statement = MigrationProgress.summary($0) } }
    }
  }

  private func tell() {
    report(MigrationProgress(migration: migration, statement: statement, elapsed: .now - begin))
  }
}
