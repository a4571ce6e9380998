import GRDB
package import UserStore

/// An SQLite database that is read for a copy. Its lock keeps services away, and a transaction, where the file can be
/// written, all other writers.
package final class SQLiteCopySource: CopySource {
  /// The statements that read a table.
  private struct Statements {
    let all: PreparedStatement
    let rest: PreparedStatement
    let count: PreparedStatement
  }

  package var name: String { path }

  private let path: String
  private let location: DatabaseLocation
  private let lock: ServiceLock?
  private var connection: SQLiteConnection?
  private var statements: [String: Statements] = [:]
  /// The table that is read, and the statement whose rows come next.
  private var reading: (table: CopiedTable, statement: PreparedStatement)?

  /// Opens the database at `path`, which must have all migrations and must not be served.
  ///
  /// - Throws: `StoreError`, `CopyFault.inUse`, `.unfinished`.
  package convenience init(path: String) throws(StoreError) {
    let lock = try ServiceLock.acquired(path, mayCreate: false)
    try self.init(path: path, lock: lock)
  }

  /// - Parameter lock: the lock that this object keeps; nil for the target of a copy, which has it.
  init(path: String, lock: ServiceLock?) throws(StoreError) {
    self.path = path
    self.lock = lock
    location = .file(path)
    let connection = try SQLiteConnection(location, .inspect, settings: .copying)
    self.connection = connection
    do {
      let migrator = SchemaMigrator(connection, at: location, migrations: Migration.embedded)
      try migrator.checkedHistory().requireCurrent(Migration.embedded, of: path)
      if lock != nil { try migrator.requireWhole() }
      for table in CopiedTable.all { statements[table.name] = try Self.statements(table, connection) }
      try Self.begin(connection)
    } catch {
      statements = [:]
      // The failure being reported matters more than a failure to close.
      try? connection.close()
      lock?.release()
      throw StoreError(error, at: location)
    }
  }

  private static func statements(
    _ table: CopiedTable, _ connection: SQLiteConnection
  ) throws(DatabaseError) -> Statements {
    // The key of a name is in a column that is computed for ASCII names.
    let columns = table.columns.map { $0.name == "name_key" ? "searched_name" : $0.name }
    let key = columns.prefix(table.keyLength).joined(separator: ", ")
    let parameters = (1...table.keyLength).map { "?\($0)" }.joined(separator: ", ")
    let select = "SELECT \(columns.joined(separator: ", ")) FROM \(table.name)"
    return Statements(
      all: try connection.prepare("\(select) ORDER BY \(key)"),
      rest: try connection.prepare("\(select) WHERE (\(key)) > (\(parameters)) ORDER BY \(key)"),
      count: try connection.prepare("SELECT count(*) FROM \(table.name)"))
  }

  /// Begins the transaction, with the lock of writers unless the file cannot be written.
  private static func begin(_ connection: SQLiteConnection) throws {
    try connection.withDatabase { database in
      do {
        try database.execute(sql: "BEGIN IMMEDIATE")
      } catch let error as DatabaseError where error.resultCode == .SQLITE_READONLY {
        try database.execute(sql: "BEGIN")
      }
    }
  }

  package func history() throws(StoreError) -> SchemaHistory {
    guard let connection else { throw closed }
    return try SchemaMigrator(connection, at: location, migrations: Migration.embedded).checkedHistory()
  }

  package func count(_ table: CopiedTable) throws(StoreError) -> Int {
    try storeErrors { () throws(DatabaseError) in
      guard let count = statements[table.name]?.count else { return 0 }
      defer { count.reset() }
      return try count.step() ? Int(count.integer(at: 0)) : 0
    }
  }

  package func open(_ table: CopiedTable, after key: CopiedKey?) throws(StoreError) {
    reading?.statement.reset()
    reading = nil
    guard let statements = statements[table.name] else { throw closed }
    let statement = key == nil ? statements.all : statements.rest
    try storeErrors { () throws(DatabaseError) in
      for (index, part) in (key?.parts ?? []).enumerated() {
        try statement.bind(.bytes(part), table.columns[index].form, at: Int32(index + 1))
      }
    }
    reading = (table, statement)
  }

  package func next(_ limit: Int) throws(StoreError) -> [CopiedRow] {
    guard let (table, statement) = reading else { return [] }
    return try storeErrors { () throws(DatabaseError) in
      var rows: [CopiedRow] = []
      rows.reserveCapacity(limit)
      while rows.count < limit {
        guard try statement.step() else {
          statement.reset()
          reading = nil
          break
        }
        rows.append(statement.copiedRow(table))
      }
      return rows
    }
  }

  package func close() throws(StoreError) {
    guard let connection else { return }
    self.connection = nil
    reading?.statement.reset()
    reading = nil
    statements = [:]
    defer { lock?.release() }
    do {
      try connection.withDatabase { try $0.execute(sql: "COMMIT") }
      try connection.close()
    } catch {
      throw StoreError(error, at: location)
    }
  }

  private var closed: StoreError { .inaccessible(path: path, reason: "the database is closed") }

  private func storeErrors<Value>(_ body: () throws(DatabaseError) -> Value) throws(StoreError) -> Value {
    do {
      return try body()
    } catch {
      throw StoreError(error, at: location)
    }
  }
}

extension SQLiteConnection.Settings {
  /// The settings of connections that go through a whole database: addresses come in no order, so that each batch changes
  /// pages all over an index.
  static var copying: SQLiteConnection.Settings { SQLiteConnection.Settings(cacheSize: 256 << 20) }
}

extension ServiceLock {
  /// Returns the lock of the database at `path`, acquired.
  ///
  /// - Throws: `CopyFault.inUse`, and the errors of the lock.
  static func acquired(_ path: String, mayCreate: Bool) throws(StoreError) -> ServiceLock {
    let lock = try ServiceLock(database: path, mayCreate: mayCreate)
    guard try lock.acquire() else {
      throw .copy(.inUse(path: path, by: lock.holder.map { "process \($0)" } ?? "another process"))
    }
    return lock
  }
}

extension PreparedStatement {
  /// The current row of a table.
  fileprivate func copiedRow(_ table: CopiedTable) -> CopiedRow {
    var row: CopiedRow = []
    row.reserveCapacity(table.columns.count)
    for (index, column) in table.columns.enumerated() {
      let value = value(at: Int32(index))
      if value.isNull {
        row.append(.null)
      } else {
        switch column.form {
        case .number, .small: row.append(.integer(value.integer))
        case .id, .bytes: row.append(.bytes(Array(value.blob)))
        case .text, .key: row.append(.bytes(Array(value.utf8)))
        }
      }
    }
    return row
  }

  /// Binds a value of a column with this form.
  func bind(
    _ value: CopiedValue, _ form: CopiedTable.Column.Form, at index: Int32
  ) throws(DatabaseError) {
    switch (value, form) {
    case (.null, _): try bindNull(at: index)
    case (.integer(let number), _): try bind(number, at: index)
    case (.bytes(let text), .text), (.bytes(let text), .key): try bind(utf8: text, at: index)
    case (.bytes(let bytes), _):
      // A null pointer would bind NULL, and an empty array may have one.
      if bytes.isEmpty { try bindEmptyBlob(at: index) } else { try bind(bytes, at: index) }
    }
  }
}
