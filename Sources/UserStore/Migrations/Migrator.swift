import GRDB
import UserDomain

/// Migrates a database file, as `user-service migrate` does.
///
/// Every call opens the file, does its work and closes it. It refuses the following without changing anything:
///
/// - a file that is not a user-service database,
/// - a database newer than the program,
/// - a database with an edited migration,
/// - a migration that fails or leaves foreign-key violations.
public struct Migrator: Sendable {
  /// The state of a database's migrations.
  public struct Status: Hashable, Sendable {
    /// A migration and its state.
    public struct Line: Hashable, Sendable {
      /// The state of a migration.
      public enum State: Hashable, Sendable {
        /// Applied at this time (RFC 3339, UTC).
        case applied(at: String)
        /// Applied at this time, with other SQL than this version has.
        case edited(at: String)
        /// Applied at this time by a newer program.
        case unknown(at: String)
        /// Not applied yet.
        case pending
      }

      /// The migration's version.
      public let version: Int
      /// The migration's name.
      public let name: String
      /// The migration's state.
      public let state: State
    }

    /// The migrations that the program or the database has, by version.
    public let lines: [Line]
    /// The version of the database.
    public let version: Int
  }

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

  /// Applies migrations up to version `target` (nil: all). Creates a missing file.
  ///
  /// - Parameters:
  ///   - report: called with each migration after its commit.
  ///   - progress: called while a migration runs, many times a second.
  /// - Returns: the resulting version of the database.
  @discardableResult
  public func up(
    to target: Int? = nil, report: (Migration) -> Void = { _ in },
    progress: ((MigrationProgress) -> Void)? = nil
  ) throws(StoreError) -> Int {
    try withMigrator(.create) { (migrator, _) throws(StoreError) in
      try migrator.up(to: target, applied: report, progress: progress)
    }
  }

  /// Reverts migrations down to version `target` (nil: only the last one). Their data is lost.
  ///
  /// - Parameters:
  ///   - report: called with each migration after its commit.
  ///   - progress: called while a migration runs, many times a second.
  /// - Returns: the resulting version of the database.
  @discardableResult
  public func down(
    to target: Int? = nil, report: (Migration) -> Void = { _ in },
    progress: ((MigrationProgress) -> Void)? = nil
  ) throws(StoreError) -> Int {
    try withMigrator(.readWrite) { (migrator, _) throws(StoreError) in
      try migrator.down(to: target, reverted: report, progress: progress)
    }
  }

  /// Returns the migrations that ``down(to:report:)`` would revert, in that order.
  public func plannedDown(to target: Int? = nil) throws(StoreError) -> [Migration] {
    let version = try withMigrator(.inspect) { (migrator, _) throws(StoreError) in
      try migrator.checkedHistory().version
    }
    let end = target ?? max(version - 1, 0)
    return end < version && end >= 0 ? migrations[end..<version].reversed() : []
  }

  /// Returns every migration and its state. Changes nothing.
  public func status() throws(StoreError) -> Status {
    let history = try withMigrator(.inspect) { (migrator, _) throws(StoreError) in
      try migrator.uncheckedHistory()
    }
    let applied = Dictionary(
      history.entries.map { ($0.version, $0) }, uniquingKeysWith: { first, _ in first })
    var lines = migrations.map { migration in
      let state: Status.Line.State =
        switch applied[migration.version] {
        case nil: .pending
        case let entry? where entry.checksum == migration.checksum: .applied(at: entry.appliedAt)
        case let entry?: .edited(at: entry.appliedAt)
        }
      return Status.Line(version: migration.version, name: migration.name, state: state)
    }
    for entry in history.entries where entry.version > migrations.count {
      lines.append(
        Status.Line(version: entry.version, name: entry.name, state: .unknown(at: entry.appliedAt)))
    }
    return Status(lines: lines, version: history.version)
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
