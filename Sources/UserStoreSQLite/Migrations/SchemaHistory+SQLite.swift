import GRDB
import UserDomain
import UserStore

extension SchemaHistory {
  /// Reads the history, which is empty for an empty file.
  ///
  /// - Throws: `StoreError.notUserService` for a database that is neither empty nor ours.
  init(_ database: Database, at location: DatabaseLocation) throws {
    try Self.checkOwner(of: database, at: location)
    // GRDB's `tableExists` caches its result, which another process may have changed.
    let hasHistory = try Bool.fetchOne(
      database, sql: "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'")
    guard hasHistory == true else {
      self.init(entries: [])
      return
    }
    self.init(
      entries: try Row.fetchAll(
        database, sql: "SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version"
      ).map { row in
        Entry(version: row[0], name: row[1], checksum: row[2], appliedAt: row[3])
      })
  }

  /// - Throws: `StoreError.notUserService` for a database that is neither empty nor ours.
  static func checkOwner(of database: Database, at location: DatabaseLocation) throws {
    // The order matters: a migrator that fills the file between the two reads marks it in the same transaction.
    let isEmpty = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") == 0
    let found = try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0
    if found == applicationID { return }
    guard isEmpty, found == 0 else {
      throw StoreError.notUserService(path: location.description, applicationID: found)
    }
  }

  /// Creates the history's table and marks the file as ours, inside a transaction. Repeated calls change nothing.
  static func prepare(_ database: Database) throws {
    try database.execute(
      sql: """
        CREATE TABLE IF NOT EXISTS schema_migrations (
          version    INTEGER NOT NULL PRIMARY KEY,
          name       TEXT    NOT NULL,
          checksum   TEXT    NOT NULL,
          applied_at TEXT    NOT NULL
        ) STRICT
        """)
    try database.execute(sql: "PRAGMA application_id = \(applicationID)")
  }

  static func record(_ migration: Migration, at time: Timestamp, in database: Database) throws {
    try database.execute(
      sql: "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)",
      arguments: [migration.version, migration.name, migration.checksum, time.description])
  }

  static func remove(_ migration: Migration, from database: Database) throws {
    try database.execute(
      sql: "DELETE FROM schema_migrations WHERE version = ?", arguments: [migration.version])
  }
}
