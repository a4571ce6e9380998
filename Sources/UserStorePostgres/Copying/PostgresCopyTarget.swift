package import UserStore

/// A PostgreSQL database that receives a copy.
package final class PostgresCopyTarget: CopyTarget {
  package var name: String { address.description }
  package private(set) var progress: CopyProgress?

  private let address: PostgresAddress
  private var session: CopySession?

  /// Opens the database at `address`, which is empty or the target of a copy that was interrupted, and has no service.
  ///
  /// - Throws: `StoreError`, `CopyFault.inUse`, `.occupied`. Nothing was changed.
  package init(_ address: PostgresAddress) throws(StoreError) {
    self.address = address
    let session = try CopySession(address)
    try session.requireUnused()
    try Self.lock(session)
    _ = try session.migrations.checkedHistory()
    progress = try session.progress()
    if progress == nil, let table = try session.occupiedTable() {
      throw .copy(.occupied(path: address.description, table: table.name))
    }
    self.session = session
  }

  /// Keeps other copies away, until the connection ends.
  private static func lock(_ session: CopySession) throws(StoreError) {
    do throws(PostgresFailure) {
      _ = try session.handle.execute("SELECT pg_advisory_lock(\(SchemaHistory.applicationID), 1)")
    } catch {
      guard error.state == "55P03" else { throw StoreError(error, at: session.address) }
      throw .copy(.inUse(path: session.address.description, by: "another copy"))
    }
  }

  package func begin(_ progress: CopyProgress) throws(StoreError) {
    try PostgresMigrator(address).up()
    if self.progress != nil { return }
    try transact { (session) throws(PostgresFailure) in
      _ = try session.handle.execute(
        """
        CREATE TABLE copy_progress (
          source     text   NOT NULL,
          table_name text   NOT NULL,
          last_key   text,
          row_count  bigint NOT NULL
        )
        """)
      _ = try session.handle.execute(
        "INSERT INTO copy_progress (source, table_name, last_key, row_count) VALUES ($1, $2, nullif($3, ''), $4)",
        progress.parameters)
    }
    self.progress = progress
  }

  package func store(
    _ rows: [CopiedRow], in table: CopiedTable, _ progress: CopyProgress
  ) throws(StoreError) {
    do {
      try transact { (session) throws(PostgresFailure) in
        if !rows.isEmpty {
          try session.handle.copy(
            "COPY \(table.name) (\(table.columnList)) FROM STDIN (FORMAT binary)",
            CopyData(rows, in: table).bytes)
        }
        _ = try session.handle.execute(
          "UPDATE copy_progress SET source = $1, table_name = $2, last_key = nullif($3, ''), row_count = $4",
          progress.parameters)
      }
    } catch .copy(.conflict(let path, _, let reason)) {
      throw .copy(.conflict(path: path, table: table.name, reason: reason))
    }
    self.progress = progress
  }

  /// Has later ids follow those of the users, and gathers the statistics that the planner needs.
  package func complete() throws(StoreError) {
    try transact { (session) throws(PostgresFailure) in
      _ = try session.handle.execute(
        """
        UPDATE store_revision SET last_id = greatest(
          last_id, (SELECT id FROM users WHERE place IS NULL ORDER BY id DESC LIMIT 1))
        """)
    }
    let tables = CopiedTable.all.map(\.name).joined(separator: ", ")
    _ = try opened.execute("ANALYZE \(tables)")
  }

  package func reader() throws(StoreError) -> any CopySource {
    try PostgresCopySource(address, isTarget: true)
  }

  package func end() throws(StoreError) {
    try transact { (session) throws(PostgresFailure) in
      _ = try session.handle.execute("DROP TABLE copy_progress")
    }
    progress = nil
  }

  package func close() throws(StoreError) {
    // The connection ends with the session, and its lock with it.
    session = nil
  }

  private var opened: CopySession {
    get throws(StoreError) {
      guard let session else { throw .inaccessible(path: name, reason: "the database is closed") }
      return session
    }
  }

  /// Runs `body` in a transaction that has the lock of writers.
  private func transact(_ body: (CopySession) throws(PostgresFailure) -> Void) throws(StoreError) {
    let session = try opened
    do throws(PostgresFailure) {
      _ = try session.handle.execute("BEGIN")
      _ = try session.handle.execute(WriteStatements.lock)
      try body(session)
      _ = try session.handle.execute("COMMIT")
    } catch {
      // The failure being reported matters more; a lost connection has no transaction.
      _ = try? session.handle.execute("ROLLBACK")
      // Class 23: a key is taken, or a row refers to a missing one.
      guard error.state.hasPrefix("23") else { throw StoreError(error, at: address) }
      throw .copy(.conflict(path: address.description, table: "", reason: error.message))
    }
  }
}

extension CopyProgress {
  /// The parameters of the statements that record it, as texts.
  fileprivate var parameters: [String] { [source, table, lastKey ?? "", "\(rows)"] }
}
