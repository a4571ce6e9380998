import GRDB
package import UserStore

/// An SQLite database file that receives a copy. Its lock keeps services away.
package final class SQLiteCopyTarget: CopyTarget {
  /// The statements that write.
  private struct Statements {
    let begin: PreparedStatement
    let commit: PreparedStatement
    let rollback: PreparedStatement
    let record: PreparedStatement
    let inserts: [String: PreparedStatement]
  }

  package var name: String { path }
  package private(set) var progress: CopyProgress?

  private let path: String
  private let location: DatabaseLocation
  private let lock: ServiceLock
  private var connection: SQLiteConnection?
  private var statements: Statements?

  /// The pages of the write-ahead log from which a batch is followed by a checkpoint: 64 MiB.
  private static let pagesBetweenCheckpoints = 16_384

  /// Opens the database at `path`, which is missing, empty or the target of a copy that was interrupted.
  ///
  /// - Throws: `StoreError`, `CopyFault.inUse`, `.occupied`. Nothing was changed.
  package init(path: String) throws(StoreError) {
    self.path = path
    location = .file(path)
    lock = try ServiceLock.acquired(path, mayCreate: true)
    do {
      progress = try Self.inspect(path)
    } catch {
      lock.release()
      throw error
    }
  }

  /// Returns the progress of the copy whose target the file is; nil for one without data.
  private static func inspect(_ path: String) throws(StoreError) -> CopyProgress? {
    do throws(StoreError) {
      try DatabaseFiles(path).check(mayCreate: false)
    } catch .missing {
      return nil
    }
    let location = DatabaseLocation.file(path)
    let connection = try SQLiteConnection(location, .inspect)
    do {
      _ = try SchemaMigrator(connection, at: location, migrations: Migration.embedded).checkedHistory()
      let progress = try connection.withDatabase { database in
        let progress = try CopyRecord.read(database)
        if progress == nil, let table = try CopyRecord.occupiedTable(database) {
          throw StoreError.copy(.occupied(path: path, table: table.name))
        }
        return progress
      }
      try connection.close()
      return progress
    } catch {
      // The failure being reported matters more than a failure to close.
      try? connection.close()
      throw StoreError(error, at: location)
    }
  }

  package func begin(_ progress: CopyProgress) throws(StoreError) {
    try SQLiteMigrator(path: path).up()
    let connection = try SQLiteConnection(location, .readWrite, settings: .copying)
    self.connection = connection
    do {
      if self.progress == nil {
        try connection.withDatabase { database in
          try database.inTransaction(.immediate) {
            try database.execute(sql: CopyRecord.create)
            try database.execute(
              sql: CopyRecord.insert,
              arguments: [progress.source, progress.table, progress.lastKey, progress.rows])
            return .commit
          }
        }
        self.progress = progress
      }
      statements = try Self.statements(connection)
    } catch {
      throw StoreError(error, at: location)
    }
  }

  private static func statements(_ connection: SQLiteConnection) throws(DatabaseError) -> Statements {
    var inserts: [String: PreparedStatement] = [:]
    for table in CopiedTable.all {
      let parameters = (1...table.columns.count).map { "?\($0)" }.joined(separator: ", ")
      inserts[table.name] = try connection.prepare(
        "INSERT INTO \(table.name) (\(table.columnList)) VALUES (\(parameters))")
    }
    return Statements(
      begin: try connection.prepare("BEGIN IMMEDIATE"), commit: try connection.prepare("COMMIT"),
      rollback: try connection.prepare("ROLLBACK"), record: try connection.prepare(CopyRecord.update),
      inserts: inserts)
  }

  package func store(
    _ rows: [CopiedRow], in table: CopiedTable, _ progress: CopyProgress
  ) throws(StoreError) {
    guard let connection, let statements, let insert = statements.inserts[table.name] else { throw closed }
    do throws(DatabaseError) {
      try statements.begin.run()
      for row in rows { try Self.insert(row, in: table, insert) }
      try statements.record.bind(progress)
      try statements.record.run()
      try statements.commit.run()
      if connection.pagesInWAL >= Self.pagesBetweenCheckpoints { try connection.checkpoint(.passive) }
    } catch {
      // The failure being reported matters more; closing rolls back, too.
      if !connection.isInAutocommit { try? statements.rollback.run() }
      guard error.resultCode == .SQLITE_CONSTRAINT else { throw StoreError(error, at: location) }
      throw .copy(.conflict(path: path, table: table.name, reason: error.message ?? "\(error)"))
    }
    self.progress = progress
  }

  private static func insert(
    _ row: CopiedRow, in table: CopiedTable, _ statement: PreparedStatement
  ) throws(DatabaseError) {
    var isASCII = false
    for (index, (column, value)) in zip(table.columns, row).enumerated() {
      if column.name == "name" { isASCII = value.bytes.allSatisfy { $0 < 0x80 } }
      // As UserRecord.nameKey(_:), the column has no key that SQLite's lower() makes of the name.
      let stored = column.name == "name_key" && isASCII ? .null : value
      try statement.bind(stored, column.form, at: Int32(index + 1))
    }
    try statement.run()
  }

  package func complete() throws(StoreError) {
    // Indexes and generated columns are SQLite's own.
  }

  package func reader() throws(StoreError) -> any CopySource { try SQLiteCopySource(path: path, lock: nil) }

  package func end() throws(StoreError) {
    guard let connection else { throw closed }
    do {
      try connection.withDatabase { try $0.execute(sql: CopyRecord.drop) }
      try connection.checkpoint(.truncate)
    } catch {
      throw StoreError(error, at: location)
    }
    progress = nil
  }

  package func close() throws(StoreError) {
    statements = nil
    defer { lock.release() }
    guard let connection else { return }
    self.connection = nil
    do {
      try connection.close()
    } catch {
      throw StoreError(error, at: location)
    }
  }

  private var closed: StoreError { .inaccessible(path: path, reason: "the database is closed") }
}
