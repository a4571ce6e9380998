import GRDB
import UserDomain
public import UserStore

/// Migrates a database file. Every call opens the file, does its work and closes it.
public struct SQLiteMigrator: StoreMigrator {
  private let path: String
  private let migrations: [Migration]
  private let lockTimeout: Duration

  /// Creates a migrator of the file at `path`. It waits up to `lockTimeout` for another process that holds the file.
  public init(
    path: String, migrations: [Migration] = Migration.embedded, lockTimeout: Duration = .seconds(60)
  ) {
    self.path = path
    self.migrations = migrations
    self.lockTimeout = lockTimeout
  }

  @discardableResult
  public func up(
    to target: Int?, report: (Migration) -> Void, progress: ((MigrationProgress) -> Void)?
  ) throws(StoreError) -> Int {
    try withMigrator(.create) { (migrator, _) throws(StoreError) in
      try migrator.up(to: target, applied: report, progress: progress)
    }
  }

  @discardableResult
  public func down(
    to target: Int?, report: (Migration) -> Void, progress: ((MigrationProgress) -> Void)?
  ) throws(StoreError) -> Int {
    try withMigrator(.readWrite) { (migrator, _) throws(StoreError) in
      try migrator.down(to: target, reverted: report, progress: progress)
    }
  }

  public func plannedDown(to target: Int?) throws(StoreError) -> [Migration] {
    try withMigrator(.inspect) { (migrator, _) throws(StoreError) in
      try migrator.checkedHistory().plannedDown(to: target, migrations)
    }
  }

  public func status() throws(StoreError) -> MigrationStatus {
    try withMigrator(.inspect) { (migrator, _) throws(StoreError) in
      try migrator.uncheckedHistory().status(of: migrations)
    }
  }

  /// Checks that all migrations are applied and unedited, and that the file is sound (`PRAGMA integrity_check`,
  /// `foreign_key_check`). Changes nothing.
  ///
  /// - Throws: the first fault found.
  public func verify() throws(StoreError) {
    try withMigrator(.inspect) { (migrator, connection) throws(StoreError) in
      try migrator.requireCurrent()
      try checkIntegrity(connection)
    }
  }

  private func checkIntegrity(_ connection: SQLiteConnection) throws(StoreError) {
    let findings: [String]
    do {
      findings = try connection.withDatabase { database in
        try String.fetchAll(database, sql: "PRAGMA integrity_check(1)").filter { $0 != "ok" }
          + String.fetchAll(database, sql: "SELECT DISTINCT \"table\" FROM pragma_foreign_key_check")
          .map { "rows of \($0) refer to missing rows" }
      }
    } catch {
      throw StoreError(error, at: .file(path))
    }
    if let finding = findings.first {
      let code = ResultCode.SQLITE_CORRUPT.rawValue
      throw .storage(path: path, StorageFault(kind: .corrupt, resultCode: code, message: finding))
    }
  }

  private func withMigrator<Value>(
    _ access: SQLiteConnection.Access,
    _ body: (SchemaMigrator, SQLiteConnection) throws(StoreError) -> Value
  ) throws(StoreError) -> Value {
    let location = DatabaseLocation.file(path)
    let connection = try SQLiteConnection(
      location, access, settings: SQLiteConnection.Settings(busyTimeout: lockTimeout))
    let value: Value
    do {
      value = try body(SchemaMigrator(connection, at: location, migrations: migrations), connection)
    } catch {
      // The failure being reported matters more than a failure to close.
      try? connection.close()
      throw error
    }
    do {
      try connection.close()
    } catch {
      throw StoreError(error, at: location)
    }
    return value
  }
}
