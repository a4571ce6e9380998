import GRDB
import UserDomain
import UserStore

/// Applies and reverts migrations over one connection, each in its own transaction.
///
/// Each step reads and checks the history inside its own transaction, which holds the write lock. Of two concurrent
/// migrators the second waits, and then finds the work done.
struct SchemaMigrator {
  private let connection: SQLiteConnection
  private let location: DatabaseLocation
  private let migrations: [Migration]

  /// Creates a migrator for `connection`. `migrations` are numbered from 1 without gaps.
  init(_ connection: SQLiteConnection, at location: DatabaseLocation, migrations: [Migration]) {
    self.connection = connection
    self.location = location
    self.migrations = migrations
  }

  /// Returns the history, checked against the migrations.
  func checkedHistory() throws(StoreError) -> SchemaHistory {
    try storeErrors { try connection.withDatabase(checkedHistory) }
  }

  /// Returns the history without checking it.
  func uncheckedHistory() throws(StoreError) -> SchemaHistory {
    try storeErrors { try connection.withDatabase { try SchemaHistory($0, at: location) } }
  }

  /// - Throws: `StoreError.pending` if migrations are not applied, the errors of ``checkedHistory()`` and
  ///   ``requireWhole()``.
  func requireCurrent() throws(StoreError) {
    try checkedHistory().requireCurrent(migrations, of: location.description)
    try requireWhole()
  }

  /// - Throws: `CopyFault.unfinished` for the target of a copy that was interrupted.
  func requireWhole() throws(StoreError) {
    let isUnfinished = try storeErrors { try connection.withDatabase(CopyRecord.exists) }
    if isUnfinished { throw .copy(.unfinished(path: location.description)) }
  }

  /// Applies all migrations for a service that is starting. It moves a new database's tables into the main file, so
  /// that a copy without the log is not empty.
  ///
  /// - Throws: `StoreError.withoutTables` for a file that has content but none of our tables, and the errors of
  ///   ``requireWhole()`` and ``up(to:applied:)``.
  func prepareForService() throws(StoreError) {
    try requireWhole()
    let (version, pages) = try storeErrors {
      try connection.withDatabase { database in
        var found = (version: 0, pages: 0)
        try database.inTransaction(.deferred) {
          found.version = try checkedHistory(database).version
          found.pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
          return .commit
        }
        return found
      }
    }
    if version == 0, pages > 0, case .file(let path) = location { throw .withoutTables(path: path) }
    try up()
    if version == 0 { _ = try storeErrors { try connection.checkpoint(.passive) } }
  }

  /// Applies migrations up to version `target` (nil: all), and reports each one, and its progress.
  @discardableResult
  func up(
    to target: Int? = nil, applied report: (Migration) -> Void = { _ in },
    progress: MigrationWatch.Report? = nil
  ) throws(StoreError) -> Int {
    let target = try checkTarget(target ?? migrations.count)
    var version = try checkedHistory().version
    if version > target { throw .migration(.wrongDirection(from: version, to: target)) }
    while version < target {
      let step = try transact { database throws -> Migration? in
        let history = try checkedHistory(database)
        // Another migrator may have applied it meanwhile.
        guard history.version < target else { return nil }
        let migration = migrations[history.version]
        try SchemaHistory.prepare(database)
        try run(migration.up, of: migration, in: database, progress)
        try SchemaHistory.record(migration, at: .now, in: database)
        return migration
      }
      // The first migration makes the file ours, in one transaction of a rollback journal.
      try storeErrors { try connection.useWAL() }
      guard let step else { return try checkedHistory().version }
      version = step.version
      report(step)
    }
    return version
  }

  /// Reverts migrations down to version `target` (nil: only the last one), and reports each one, and its progress.
  @discardableResult
  func down(
    to target: Int? = nil, reverted report: (Migration) -> Void = { _ in },
    progress: MigrationWatch.Report? = nil
  ) throws(StoreError) -> Int {
    var version = try checkedHistory().version
    let target = try checkTarget(target ?? max(version - 1, 0))
    if version < target { throw .migration(.wrongDirection(from: version, to: target)) }
    while version > target {
      let step = try transact { database throws -> Migration? in
        let history = try checkedHistory(database)
        guard history.version > target else { return nil }
        let migration = migrations[history.version - 1]
        try run(migration.down, of: migration, in: database, progress)
        try SchemaHistory.remove(migration, from: database)
        return migration
      }
      guard let step else { return try checkedHistory().version }
      version = step.version - 1
      report(step)
    }
    return version
  }

  private func checkTarget(_ target: Int) throws(StoreError) -> Int {
    guard (0...migrations.count).contains(target) else {
      throw .migration(.unknownVersion(target, newestKnown: migrations.count))
    }
    return target
  }

  private func checkedHistory(_ database: Database) throws -> SchemaHistory {
    let history = try SchemaHistory(database, at: location)
    try history.check(against: migrations, of: location.description)
    return history
  }

  /// Runs one migration's SQL and looks for rows that refer to missing rows.
  private func run(
    _ sql: String, of migration: Migration, in database: Database, _ progress: MigrationWatch.Report?
  ) throws {
    EmailKeyFunctions.add(to: database)
    LifecycleFunctions.add(to: database)
    do {
      try MigrationWatch.watch(migration, on: database, report: progress) { next in
        let statements = try database.allStatements(sql: sql)
        while let statement = try statements.next() {
          next(statement.sql)
          try statement.execute()
          guard database.isInsideTransaction else {
            throw StoreError.migration(
              .failed(migration: migration.id, reason: "it ends its own transaction"))
          }
        }
      }
    } catch let error as DatabaseError {
      if [.full, .busy, .readOnly, .inputOutput, .corrupt].contains(StorageFault(error).kind) { throw error }
      throw StoreError.migration(.failed(migration: migration.id, reason: error.message ?? "\(error)"))
    }
    let tables = try String.fetchAll(database, sql: "SELECT DISTINCT \"table\" FROM pragma_foreign_key_check")
    if !tables.isEmpty {
      throw StoreError.migration(.foreignKeyViolations(migration: migration.id, tables: tables))
    }
  }

  /// Runs `body` in a transaction that takes the write lock at its beginning.
  ///
  /// Foreign keys are off meanwhile, as SQLite requires for migrations that rebuild a table
  /// (sqlite.org/lang_altertable.html §7). `run` checks them all at the end instead.
  private func transact<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
    try storeErrors {
      try connection.withDatabase { database in
        try database.execute(sql: "PRAGMA foreign_keys = OFF")
        let result = Result {
          var value: Value?
          try database.inTransaction(.immediate) {
            value = try body(database)
            return .commit
          }
          return value
        }
        try database.execute(sql: "PRAGMA foreign_keys = ON")
        guard let value = try result.get() else {
          throw DatabaseError(resultCode: .SQLITE_ABORT, message: "the transaction did not run")
        }
        return value
      }
    }
  }

  private func storeErrors<Value>(_ body: () throws -> Value) throws(StoreError) -> Value {
    do {
      return try body()
    } catch {
      throw StoreError(error, at: location)
    }
  }
}
