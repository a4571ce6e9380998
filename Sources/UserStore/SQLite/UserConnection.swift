import GRDB

/// A connection with the compiled statements about users.
///
/// `@unchecked Sendable`: a connection is used only by the thread that holds the lock of its place in the
/// `ConnectionPool`, which orders one thread's use before the next one's.
final class UserConnection: @unchecked Sendable {
  let connection: SQLiteConnection
  /// The pool's generation when the open read transaction began; nil if none is open.
  private(set) var snapshotGeneration: UInt64?
  /// Whether it holds a transaction that cannot be rolled back; its pool then closes it and opens another.
  private(set) var isBroken = false
  private let schemaVersion: Int
  private var seenDataVersion: Int64?
  private var readStatements: UserReadStatements?
  private var writeStatements: UserWriteStatements?
  private var signInStatements: SignInReadStatements?

  /// Compiles the statements for the schema of that version, those that write only if `writes` is given.
  init(
    _ connection: SQLiteConnection, schemaVersion: Int, writes: WriteSettings?
  ) throws(DatabaseError) {
    self.connection = connection
    self.schemaVersion = schemaVersion
    let reads = try UserReadStatements(connection)
    readStatements = reads
    // Now and not when they are needed: GRDB permits no transaction to be open while it compiles statements.
    signInStatements = try SignInReadStatements(connection)
    if let writes { writeStatements = try UserWriteStatements(connection, writes, reads: reads) }
  }

  /// The statements that read.
  var reads: UserReadStatements {
    get throws(DatabaseError) {
      guard let readStatements else { throw Self.closed }
      return readStatements
    }
  }

  /// The statements that read what has failed before at an account.
  var signIns: SignInReadStatements {
    get throws(DatabaseError) {
      guard let signInStatements else { throw Self.closed }
      return signInStatements
    }
  }

  /// The statements that write.
  var writes: UserWriteStatements {
    get throws(DatabaseError) {
      guard let writeStatements else { throw Self.closed }
      return writeStatements
    }
  }

  /// Begins a read transaction that the reads to come share, in place of an older one.
  func beginSnapshot(_ generation: UInt64) throws(DatabaseError) {
    endSnapshot()
    try reads.begin.run()
    snapshotGeneration = generation
  }

  /// Ends the read transaction, if one is open.
  func endSnapshot() {
    guard snapshotGeneration != nil else { return }
    snapshotGeneration = nil
    // A read transaction without running statements has nothing that could fail to commit
    // (sqlite.org/lang_transaction.html); if it did, no other could begin.
    try? reads.end.run()
    if !connection.isInAutocommit { isBroken = true }
  }

  /// Rolls back a transaction that is open, if there is one.
  ///
  /// After some failures SQLite has rolled back already (sqlite.org/lang_transaction.html §3).
  func endTransaction() {
    if connection.isInAutocommit { return }
    // The failure that has led here is the one to report; `isBroken` tells of this one.
    try? writes.rollBackTransaction()
    if !connection.isInAutocommit { isBroken = true }
  }

  /// `error`, or `SQLITE_SCHEMA` if it is because migrations were taken back.
  func explained(_ error: DatabaseError) -> DatabaseError {
    connection.explained(error, schemaVersion: schemaVersion)
  }

  /// - Throws: `SQLITE_SCHEMA` if fewer migrations are applied than the statements need, or SQLite's failure.
  func requireSchema() throws(DatabaseError) {
    try connection.requireSchema(version: schemaVersion)
  }

  /// Returns whether other connections have committed since the last call, or there was none. A connection's own
  /// commits do not count (sqlite.org/pragma.html#pragma_data_version).
  func noteOtherCommits() throws(DatabaseError) -> Bool {
    let version = try writes.dataVersion()
    defer { seenDataVersion = version }
    return version != seenDataVersion
  }

  /// Finalizes the statements and closes the connection.
  func close() throws {
    endSnapshot()
    readStatements = nil
    writeStatements = nil
    signInStatements = nil
    try connection.close()
  }

  private static var closed: DatabaseError {
    DatabaseError(resultCode: .SQLITE_MISUSE, message: "the connection is closed or read-only")
  }
}

extension SQLiteConnection {
  /// `error`, or `SQLITE_SCHEMA` if it is because migrations were taken back: SQLite calls both a missing table and a
  /// defect of a statement `SQLITE_ERROR`.
  func explained(_ error: DatabaseError, schemaVersion: Int) -> DatabaseError {
    guard error.resultCode == .SQLITE_ERROR else { return error }
    do throws(DatabaseError) {
      try requireSchema(version: schemaVersion)
      return error
    } catch let finding {
      // The history itself may be gone.
      return finding.resultCode == .SQLITE_ERROR ? Self.notMigrated : finding
    }
  }

  /// - Throws: `SQLITE_SCHEMA` if the database is at an older version, or SQLite's failure.
  fileprivate func requireSchema(version: Int) throws(DatabaseError) {
    let found = try prepare("SELECT coalesce(max(version), 0) FROM schema_migrations")
    defer { found.reset() }
    guard try found.step(), found.integer(at: 0) >= version else { throw Self.notMigrated }
  }

  private static var notMigrated: DatabaseError {
    DatabaseError(resultCode: .SQLITE_SCHEMA, message: "migrations were taken back")
  }
}
