import GRDB
import UserStore

/// The table `copy_progress`, which a database has while it is the target of a copy: one row.
enum CopyRecord {
  static let create = """
    CREATE TABLE copy_progress (
      source     TEXT    NOT NULL,
      table_name TEXT    NOT NULL,
      last_key   TEXT,
      row_count  INTEGER NOT NULL
    ) STRICT
    """
  static let insert =
    "INSERT INTO copy_progress (source, table_name, last_key, row_count) VALUES (?1, ?2, ?3, ?4)"
  static let update =
    "UPDATE copy_progress SET source = ?1, table_name = ?2, last_key = ?3, row_count = ?4"
  static let drop = "DROP TABLE copy_progress"

  /// Returns whether the database is the target of a copy.
  static func exists(_ database: Database) throws -> Bool { try hasTable("copy_progress", database) }

  /// Returns the progress of the copy whose target the database is; nil if it is not one.
  static func read(_ database: Database) throws -> CopyProgress? {
    guard try exists(database) else { return nil }
    return try Row.fetchOne(
      database, sql: "SELECT source, table_name, last_key, row_count FROM copy_progress"
    ).map { row in CopyProgress(source: row[0], table: row[1], lastKey: row[2], rows: row[3]) }
  }

  /// Returns the first table that has rows; nil for an empty database.
  static func occupiedTable(_ database: Database) throws -> CopiedTable? {
    try CopiedTable.all.first { table in
      guard try hasTable(table.name, database) else { return false }
      return try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM \(table.name))") == true
    }
  }

  private static func hasTable(_ name: String, _ database: Database) throws -> Bool {
    // GRDB's `tableExists` caches its result, which another process may have changed.
    try Bool.fetchOne(
      database, sql: "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)",
      arguments: [name]) == true
  }
}

extension PreparedStatement {
  /// Binds the progress of a copy to the parameters of ``CopyRecord/insert`` or ``CopyRecord/update``.
  func bind(_ progress: CopyProgress) throws(DatabaseError) {
    try bind(progress.source, at: 1)
    try bind(progress.table, at: 2)
    try bind(progress.lastKey, at: 3)
    try bind(Int64(progress.rows), at: 4)
  }
}
