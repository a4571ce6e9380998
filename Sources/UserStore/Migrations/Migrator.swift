import GRDB
import UserDomain

/// Migrates a database file: what `user-service migrate` does.
///
/// Every call opens the file, does its work and closes it. It refuses, having changed nothing: a file that is
/// not a user-service database, a database newer than the program, an applied migration whose text was
/// edited, a migration that fails or leaves foreign-key violations.
public struct Migrator: Sendable {
  /// Where a database is among the migrations.
  public struct Status: Hashable, Sendable {
    /// A migration and what has become of it.
    public struct Line: Hashable, Sendable {
      /// What has become of a migration.
      public enum State: Hashable, Sendable {
        /// Applied, at that time (RFC 3339, UTC).
        case applied(at: String)
        /// Applied at that time, with another text than this program has.
        case edited(at: String)
        /// Applied at that time by a newer program.
        case unknown(at: String)
        /// Not applied yet.
        case pending
      }

      /// Its version.
      public let version: Int
      /// Its name.
      public let name: String
      /// What has become of it.
      public let state: State
    }

    /// Every migration that the program or the database knows, by version.
    public let lines: [Line]
    /// The version that the database is at.
    public let version: Int
  }

  private let path: String
  private let migrations: [Migration]
  private let lockTimeout: Duration

  /// A migrator for the file at `path`. It waits up to `lockTimeout` for another process that holds the file.
  public init(
    path: String, migrations: [Migration] = Migration.embedded, lockTimeout: Duration = .seconds(60)
  ) {
    self.path = path
    self.migrations = migrations
    self.lockTimeout = lockTimeout
  }

  /// Applies migrations up to version `target` (nil: all), making the file if there is none.
  ///
  /// - Parameter report: sees each migration once its transaction is committed.
  /// - Returns: the version that the database is at now.
  @discardableResult
  public func up(to target: Int? = nil, report: (Migration) -> Void = { _ in }) throws(StoreError) -> Int {
    try withMigrator(.create) { (migrator, _) throws(StoreError) in
      try migrator.up(to: target, applied: report)
    }
  }

  /// Takes back migrations down to version `target` (nil: the last one only). Their data is lost.
  ///
  /// - Parameter report: sees each migration once its transaction is committed.
  /// - Returns: the version that the database is at now.
  @discardableResult
  public func down(to target: Int? = nil, report: (Migration) -> Void = { _ in }) throws(StoreError) -> Int {
    try withMigrator(.readWrite) { (migrator, _) throws(StoreError) in
      try migrator.down(to: target, reverted: report)
    }
  }

  /// The migrations that ``down(to:report:)`` would take back, the first one first.
  public func plannedDown(to target: Int? = nil) throws(StoreError) -> [Migration] {
    let version = try withMigrator(.inspect) { (migrator, _) throws(StoreError) in
      try migrator.checkedHistory().version
    }
    let end = target ?? max(version - 1, 0)
    return end < version && end >= 0 ? migrations[end..<version].reversed() : []
  }

  /// Every migration and what has become of it. Changes nothing.
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

  /// Checks that the database is what this program expects: migrated to the end, no migration edited, and the
  /// file itself sound (`PRAGMA integrity_check`, `foreign_key_check`). Changes nothing.
  ///
  /// - Throws: the first thing that is wrong.
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
      // The failure that is being reported matters more than one of closing.
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
