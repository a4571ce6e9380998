import Foundation
import UserDomain
import UserStore

/// A connection that migrates: each step in a transaction of its own, which reads and checks the history under a lock. Of
/// two migrators at once the second waits, and then finds the work done.
struct MigrationSession {
  private let handle: LibpqHandle
  private let address: PostgresAddress
  private let migrations: [Migration]

  init(_ handle: LibpqHandle, _ address: PostgresAddress, _ migrations: [Migration]) {
    self.handle = handle
    self.address = address
    self.migrations = migrations
  }

  /// Returns the history without checking it; an empty one for a database without our tables.
  ///
  /// - Throws: `StoreError.inaccessible` for a database with tables of another program that have names of ours.
  func history() throws(StoreError) -> SchemaHistory {
    // Tables first: another migrator makes its history and its tables at once, so the tables are never seen without it.
    let table = try firstTable()
    func requireNone() throws(StoreError) { if let table { throw foreign(table) } }
    guard let columns = try historyColumns() else {
      try requireNone()
      return SchemaHistory(entries: [])
    }
    guard Self.historyColumns.isSubset(of: columns) else { throw foreign("schema_migrations") }
    let rows = try execute(
      "SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version")
    if rows.count == 0 { try requireNone() }
    return SchemaHistory(
      entries: (0..<rows.count).map { row in
        SchemaHistory.Entry(
          version: Int(rows.text(row, 0)) ?? 0, name: rows.text(row, 1), checksum: rows.text(row, 2),
          appliedAt: rows.text(row, 3))
      })
  }

  private static let historyColumns: Set = ["version", "name", "checksum", "applied_at"]

  /// Returns the columns of `schema_migrations`; nil if the search path has no such table.
  private func historyColumns() throws(StoreError) -> Set<String>? {
    guard try execute("SELECT to_regclass('schema_migrations') IS NOT NULL").text(0, 0) == "t" else {
      return nil
    }
    let rows = try execute(
      """
      SELECT attname FROM pg_attribute
      WHERE attrelid = to_regclass('schema_migrations') AND attnum > 0 AND NOT attisdropped
      """)
    return Set((0..<rows.count).map { rows.text($0, 0) })
  }

  /// Returns a table of a name of ours in the schema, or nil.
  private func firstTable() throws(StoreError) -> String? {
    let names = CopiedTable.all.map(\.name) + ["store_revision", "revocation_events"]
    let found = try execute(
      """
      SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS ours (name, place)
      WHERE to_regclass((\(Self.schema)) || '.' || name) IS NOT NULL ORDER BY place LIMIT 1
      """, ["{\(names.joined(separator: ","))}"])
    return found.count == 0 ? nil : found.text(0, 0)
  }

  /// The schema of our tables: that of `schema_migrations`, and before that the first of the search path.
  private static let schema = """
    SELECT coalesce(
      (SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = to_regclass('schema_migrations')),
      quote_ident(current_schema()))
    """

  private func foreign(_ table: String) -> StoreError {
    .inaccessible(
      path: address.description, reason: "it has a table '\(table)' of another program; nothing was changed")
  }

  /// Returns the history, checked against the migrations.
  func checkedHistory() throws(StoreError) -> SchemaHistory {
    let history = try history()
    try history.check(against: migrations, of: address.description)
    return history
  }

  /// Returns the history, checked against the migrations, of which one more may be applied: services of two neighbouring
  /// versions share a database while they are replaced one by one.
  func usableHistory() throws(StoreError) -> SchemaHistory {
    let history = try history()
    let known = SchemaHistory(
      entries: history.version == migrations.count + 1 ? history.entries.dropLast() : history.entries)
    try known.check(against: migrations, of: address.description)
    return history
  }

  /// - Throws: `CopyFault.unfinished` for the target of a copy that was interrupted.
  func requireWhole() throws(StoreError) {
    if try execute("SELECT to_regclass('copy_progress') IS NOT NULL").text(0, 0) == "t" {
      throw .copy(.unfinished(path: address.description))
    }
  }

  /// Applies the next migration up to `target`. Returns nil if another migrator has.
  func applyNext(
    upTo target: Int, _ progress: ((MigrationProgress) -> Void)?
  ) throws(StoreError) -> Migration? {
    try transact { () throws(StoreError) in
      let version = try checkedHistory().version
      guard version < target else { return nil }
      let migration = migrations[version]
      try run(migration.up, of: migration, progress)
      _ = try execute(
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1::integer, $2, $3, $4)",
        ["\(migration.version)", migration.name, migration.checksum, Timestamp.now.description])
      return migration
    }
  }

  /// Reverts the last migration down to `target`. Returns nil if another migrator has.
  func revertLast(
    downTo target: Int, _ progress: ((MigrationProgress) -> Void)?
  ) throws(StoreError) -> Migration? {
    try transact { () throws(StoreError) in
      let version = try checkedHistory().version
      guard version > target else { return nil }
      let migration = migrations[version - 1]
      try run(migration.down, of: migration, progress)
      _ = try execute("DELETE FROM schema_migrations WHERE version = $1::integer", ["\(version)"])
      return migration
    }
  }

  /// Looks for rows that refer to missing rows, of which the server keeps the tables free unless its checks were off.
  func checkReferences() throws(StoreError) {
    for table in [
      "password_credentials", "sessions", "token_epochs", "create_requests", "known_devices", "user_labels",
    ] {
      let found = try execute(
        "SELECT EXISTS (SELECT 1 FROM \(table) LEFT JOIN users ON users.id = user_id WHERE users.id IS NULL)"
      )
      if found.text(0, 0) == "t" {
        throw .storage(
          path: address.description,
          StorageFault(kind: .corrupt, resultCode: 0, message: "rows of \(table) refer to missing rows"))
      }
    }
  }

  /// Runs the SQL of a migration, in the open transaction.
  private func run(
    _ sql: String, of migration: Migration, _ progress: ((MigrationProgress) -> Void)?
  ) throws(StoreError) {
    progress?(
      MigrationProgress(migration: migration, statement: MigrationProgress.summary(sql), elapsed: .zero))
    do throws(PostgresFailure) {
      _ = try handle.executeAll(sql)
      guard handle.isInTransaction else {
        throw PostgresFailure(origin: .statement, state: "25P01", message: "it ends its own transaction")
      }
    } catch {
      let fault = StorageFault(error)
      if fault.kind != .unexpected { throw StoreError(error, at: address) }
      throw .migration(.failed(migration: migration.id, reason: error.message))
    }
  }

  /// Runs `body` in a transaction that no other migrator's overlaps.
  private func transact<Value>(_ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
    // Waits no longer than the lock time-out. Not in the transaction, which would look for the tables as they were when it
    // began: the server learns of tables that others have made when a transaction begins.
    _ = try execute("SELECT pg_advisory_lock(\(SchemaHistory.applicationID))")
    defer {
      // It ends with the session at the latest.
      _ = try? handle.execute("SELECT pg_advisory_unlock(\(SchemaHistory.applicationID))")
    }
    _ = try execute("BEGIN")
    do throws(StoreError) {
      try requireHistory()
      let value = try body()
      _ = try execute("COMMIT")
      return value
    } catch {
      // The failure being reported matters more; a lost connection has no transaction.
      _ = try? handle.execute("ROLLBACK")
      throw error
    }
  }

  /// Makes the table of the history for the first migrator. In this transaction, all names are then those of its schema: an
  /// earlier one in the search path may have been made since.
  private func requireHistory() throws(StoreError) {
    if try historyColumns() == nil {
      _ = try execute(
        """
        CREATE TABLE schema_migrations (
          version    integer NOT NULL PRIMARY KEY,
          name       text    NOT NULL,
          checksum   text    NOT NULL,
          applied_at text    NOT NULL
        )
        """)
    }
    _ = try execute("SELECT set_config('search_path', (\(Self.schema)), true)")
  }

  private func execute(_ sql: String, _ parameters: [String] = []) throws(StoreError) -> QueryResult {
    do {
      return try handle.execute(sql, parameters)
    } catch {
      throw StoreError(error, at: address)
    }
  }
}

extension StoreError {
  /// Creates the error of a failed use of the database at `address`.
  init(_ failure: PostgresFailure, at address: PostgresAddress) {
    self = .storage(path: address.description, StorageFault(failure))
  }
}
