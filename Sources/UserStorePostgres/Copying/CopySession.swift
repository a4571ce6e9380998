import UserStore

/// A connection of a copy, with SQL that reads and writes whole tables.
struct CopySession {
  let handle: LibpqHandle
  let address: PostgresAddress

  /// The maximum wait for a lock that another process holds.
  private static let lockTimeout: Duration = .seconds(10)
  /// How often the connections of a service that ends are looked for, each time after a tenth of a second.
  private static let looks = 20

  /// Connects, under another name than a service.
  init(_ address: PostgresAddress) throws(StoreError) {
    self.address = address
    do {
      handle = try PostgresConnector(
        address: address, role: .administration(lockTimeout: Self.lockTimeout)
      ).open()
    } catch {
      throw StoreError(error, at: address)
    }
    // An operator's time limits are for short statements.
    _ = try execute(
      """
      SELECT set_config('application_name', 'user-service copy', false), set_config('statement_timeout', '0', false),
        set_config('idle_in_transaction_session_timeout', '0', false)
      """)
  }

  /// The database's migrations.
  var migrations: MigrationSession { MigrationSession(handle, address, Migration.postgres) }

  func execute(_ sql: String, _ parameters: [String] = []) throws(StoreError) -> QueryResult {
    do {
      return try handle.execute(sql, parameters)
    } catch {
      throw StoreError(error, at: address)
    }
  }

  /// - Throws: `CopyFault.inUse` if a service is connected to the database.
  func requireUnused() throws(StoreError) {
    var user = ""
    for _ in 0..<Self.looks {
      let found = try execute(
        """
        SELECT coalesce(' at ' || host(client_addr), '') FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'user-service' AND pid <> pg_backend_pid()
          AND backend_type = 'client backend' LIMIT 1
        """)
      if found.count == 0 { return }
      user = "a service\(found.text(0, 0))"
      // The server may not have noticed yet that a service has ended.
      _ = try execute("SELECT pg_sleep(0.1)")
    }
    throw .copy(.inUse(path: address.description, by: user))
  }

  func hasTable(_ name: String) throws(StoreError) -> Bool {
    try execute("SELECT to_regclass($1) IS NOT NULL", [name]).text(0, 0) == "t"
  }

  /// Whether the database is the target of a copy.
  func hasProgress() throws(StoreError) -> Bool { try hasTable("copy_progress") }

  /// Returns the progress of the copy whose target the database is; nil if it is not one.
  func progress() throws(StoreError) -> CopyProgress? {
    guard try hasProgress() else { return nil }
    let found = try execute("SELECT source, table_name, coalesce(last_key, ''), row_count FROM copy_progress")
    guard found.count > 0 else { return nil }
    let key = found.text(0, 2)
    return CopyProgress(
      source: found.text(0, 0), table: found.text(0, 1), lastKey: key.isEmpty ? nil : key,
      rows: Int(found.text(0, 3)) ?? 0)
  }

  /// Returns the first table that has rows; nil for an empty database.
  func occupiedTable() throws(StoreError) -> CopiedTable? {
    for table in CopiedTable.all where try hasTable(table.name) {
      if try execute("SELECT EXISTS (SELECT 1 FROM \(table.name))").text(0, 0) == "t" { return table }
    }
    return nil
  }
}

extension CopiedTable {
  /// The columns of the primary key as they are compared: texts by their bytes.
  private var orderedKey: [String] {
    columns.prefix(keyLength).map { $0.form == .text ? "\($0.name) COLLATE \"C\"" : $0.name }
  }

  /// The statement that begins to read the rows after a key, or all.
  func cursor(after key: CopiedKey?) -> Command {
    let order = orderedKey.joined(separator: ", ")
    var condition = ""
    if key != nil {
      let parameters = (1...keyLength).map { "$\($0)" }.joined(separator: ", ")
      condition = keyLength == 1 ? "WHERE \(order) > \(parameters)" : "WHERE (\(order)) > (\(parameters))"
    }
    let sql = """
      DECLARE copied NO SCROLL CURSOR FOR SELECT \(columnList) FROM \(name) \(condition) ORDER BY \(order)
      """
    return Command(Statement("", sql), (key?.parts ?? []).map { .bytes($0) })
  }
}

extension QueryResult {
  /// The row of a table, whose columns are those of the result.
  func copiedRow(_ row: Int, _ table: CopiedTable) -> CopiedRow {
    var values: CopiedRow = []
    values.reserveCapacity(table.columns.count)
    for (index, column) in table.columns.enumerated() {
      let index = Int32(index)
      if isNull(row, index) {
        values.append(.null)
      } else {
        switch column.form {
        case .number: values.append(.integer(integer(row, index)))
        case .small: values.append(.integer(Int64(small(row, index))))
        case .id, .bytes, .text, .key: values.append(.bytes(blob(row, index)))
        }
      }
    }
    return values
  }
}
