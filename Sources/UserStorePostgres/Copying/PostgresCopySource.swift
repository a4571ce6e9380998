package import UserStore

/// A PostgreSQL database that is read for a copy, in one snapshot. Where the server permits, writers are locked out.
package final class PostgresCopySource: CopySource {
  package var name: String { address.description }

  private let address: PostgresAddress
  private var session: CopySession?
  /// The table that is read.
  private var table: CopiedTable?

  /// Opens the database at `address`, which must have all migrations and no service.
  ///
  /// - Throws: `StoreError`, `CopyFault.inUse`, `.unfinished`.
  package convenience init(_ address: PostgresAddress) throws(StoreError) {
    try self.init(address, isTarget: false)
  }

  /// - Parameter isTarget: whether a copy compares its target, which it has checked.
  init(_ address: PostgresAddress, isTarget: Bool) throws(StoreError) {
    self.address = address
    let session = try CopySession(address)
    if !isTarget { try session.requireUnused() }
    try session.migrations.checkedHistory().requireCurrent(Migration.postgres, of: address.description)
    if !isTarget { try session.migrations.requireWhole() }
    try Self.begin(session)
    self.session = session
  }

  /// Begins the snapshot, with the lock that every writer takes first.
  private static func begin(_ session: CopySession) throws(StoreError) {
    _ = try session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    _ = try session.execute("SAVEPOINT before_lock")
    do throws(PostgresFailure) {
      _ = try session.handle.execute("SELECT number FROM store_revision FOR UPDATE")
    } catch {
      // A standby has no writers, and a role may only be permitted to read.
      guard ["25006", "42501"].contains(error.state) else { throw StoreError(error, at: session.address) }
      _ = try session.execute("ROLLBACK TO SAVEPOINT before_lock")
    }
  }

  package func history() throws(StoreError) -> SchemaHistory {
    try opened.migrations.checkedHistory()
  }

  package func count(_ table: CopiedTable) throws(StoreError) -> Int {
    Int(try opened.execute("SELECT count(*) FROM \(table.name)").text(0, 0)) ?? 0
  }

  package func open(_ table: CopiedTable, after key: CopiedKey?) throws(StoreError) {
    let session = try opened
    if self.table != nil { _ = try session.execute("CLOSE copied") }
    self.table = nil
    try storeErrors { () throws(PostgresFailure) in
      _ = try session.handle.execute(table.cursor(after: key))
    }
    self.table = table
  }

  package func next(_ limit: Int) throws(StoreError) -> [CopiedRow] {
    guard let table else { return [] }
    let session = try opened
    return try storeErrors { () throws(PostgresFailure) in
      let rows = try session.handle.execute(Command(Statement("", "FETCH \(limit) FROM copied")))
      return (0..<rows.count).map { rows.copiedRow($0, table) }
    }
  }

  package func close() throws(StoreError) {
    // The connection ends with the session, and the transaction with it.
    session = nil
    table = nil
  }

  private var opened: CopySession {
    get throws(StoreError) {
      guard let session else { throw .inaccessible(path: name, reason: "the database is closed") }
      return session
    }
  }

  private func storeErrors<Value>(_ body: () throws(PostgresFailure) -> Value) throws(StoreError) -> Value {
    do {
      return try body()
    } catch {
      throw StoreError(error, at: address)
    }
  }
}
