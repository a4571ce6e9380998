import GRDB
import UserStore

/// A connection with the compiled statements of users.
///
/// `@unchecked Sendable`: only the thread that holds the lock of its slot in the `ConnectionPool` uses a connection,
/// which orders each use before the next.
final class UserConnection: @unchecked Sendable {
  let connection: SQLiteConnection
  /// The pool's generation when the open read transaction began; nil if none is open.
  private(set) var snapshotGeneration: UInt64?
  /// Whether a transaction cannot be rolled back. The pool then closes the connection and opens another.
  private(set) var isBroken = false
  /// The number of transactions since the last call of ``releaseMemoryIfIdle(now:)``.
  private var transactions = 0
  /// The time since which it seems idle; nil if it is, and its memory is released.
  private var idleSince: ContinuousClock.Instant?
  /// When users were imported last; nil unless that was a moment ago.
  private var importedAt: ContinuousClock.Instant?
  private let schemaVersion: Int
  private var seenDataVersion: Int64?
  private var readStatements: UserReadStatements?
  private var writeStatements: UserWriteStatements?
  private var signInStatements: SignInReadStatements?

  /// Compiles the statements for this schema version; the writing ones only if `writes` is given.
  init(
    _ connection: SQLiteConnection, schemaVersion: Int, writes: WriteSettings?
  ) throws(DatabaseError) {
    self.connection = connection
    self.schemaVersion = schemaVersion
    let reads = try UserReadStatements(connection)
    readStatements = reads
    // Compiled now, not on demand: GRDB forbids compiling statements inside a transaction.
    signInStatements = try SignInReadStatements(connection)
    if let writes { writeStatements = try UserWriteStatements(connection, writes, reads: reads) }
  }

  /// The reading statements.
  var reads: UserReadStatements {
    get throws(DatabaseError) {
      guard let readStatements else { throw Self.closed }
      return readStatements
    }
  }

  /// The statements that read earlier failures at an account.
  var signIns: SignInReadStatements {
    get throws(DatabaseError) {
      guard let signInStatements else { throw Self.closed }
      return signInStatements
    }
  }

  /// The writing statements.
  var writes: UserWriteStatements {
    get throws(DatabaseError) {
      guard let writeStatements else { throw Self.closed }
      return writeStatements
    }
  }

  /// Begins a read transaction for the following reads, in place of an older one.
  func beginSnapshot(_ generation: UInt64) throws(DatabaseError) {
    endSnapshot()
    transactions += 1
    try reads.begin.run()
    snapshotGeneration = generation
  }

  /// Ends the read transaction, if open.
  func endSnapshot() {
    guard snapshotGeneration != nil else { return }
    snapshotGeneration = nil
    // A read transaction without running statements has nothing that could fail to commit
    // (sqlite.org/lang_transaction.html). If it failed, no other could begin.
    try? reads.end.run()
    if !connection.isInAutocommit { isBroken = true }
  }

  /// Begins a write transaction, and returns its statements. After a failure the transaction may be open.
  func beginTransaction() throws(DatabaseError) -> UserWriteStatements {
    transactions += 1
    let statements = try writes
    try statements.beginTransaction()
    return statements
  }

  // MARK: Imports

  /// The page cache of an import in bytes. Addresses, names and ids come in no order, so that each batch changes pages all
  /// over the database.
  private static let importCacheSize = 64 << 20
  /// How long after an import another one is expected.
  private static let importPause: Duration = .seconds(2)

  /// Whether users are imported, for which the page cache is larger.
  var isImporting: Bool { importedAt != nil }

  /// Records that users are imported now.
  func noteImport() {
    if importedAt == nil { connection.setCacheSize(Self.importCacheSize) }
    importedAt = .now
  }

  /// Gives the larger page cache back if no users were imported for a moment. Returns whether it did.
  func endImport(now: ContinuousClock.Instant) -> Bool {
    guard let importedAt, now - importedAt >= Self.importPause else { return false }
    self.importedAt = nil
    connection.setCacheSize(connection.cacheSize)
    return true
  }

  // MARK: Memory

  /// How long a connection that is not used keeps its page cache.
  static let idleTime: Duration = .seconds(10)

  /// Releases the page cache of a connection that was not used for ``idleTime``, as far as calls of this method show.
  func releaseMemoryIfIdle(now: ContinuousClock.Instant) {
    defer { transactions = 0 }
    // The service itself reads once between two calls, to see whether it can. That delays nothing.
    if transactions > 1 || (transactions > 0 && idleSince == nil) {
      idleSince = now
    } else if let since = idleSince, now - since >= Self.idleTime {
      idleSince = nil
      connection.releaseMemory()
    }
  }

  /// Rolls back the open transaction, if any.
  ///
  /// After some failures SQLite has already rolled back (sqlite.org/lang_transaction.html §3).
  func endTransaction() {
    if connection.isInAutocommit { return }
    // The earlier failure is the one to report; `isBroken` records this one.
    try? writes.rollBackTransaction()
    if !connection.isInAutocommit { isBroken = true }
  }

  /// Returns `error`, or `SQLITE_SCHEMA` if reverted migrations caused it.
  func explained(_ error: DatabaseError) -> DatabaseError {
    connection.explained(error, schemaVersion: schemaVersion)
  }

  /// - Throws: `SQLITE_SCHEMA` if fewer migrations are applied than the statements need, or SQLite's failure.
  func requireSchema() throws(DatabaseError) {
    try connection.requireSchema(version: schemaVersion)
  }

  /// Returns whether other connections have committed since the last call, or this is the first call. A connection's
  /// own commits do not count (sqlite.org/pragma.html#pragma_data_version).
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
  /// Returns `error`, or `SQLITE_SCHEMA` if reverted migrations caused it. SQLite reports `SQLITE_ERROR` both for a
  /// missing table and for a defective statement.
  func explained(_ error: DatabaseError, schemaVersion: Int) -> DatabaseError {
    guard error.resultCode == .SQLITE_ERROR else { return error }
    do throws(DatabaseError) {
      try requireSchema(version: schemaVersion)
      return error
    } catch let finding {
      // The history itself may be missing.
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
    DatabaseError(resultCode: .SQLITE_SCHEMA, message: "migrations were reverted")
  }
}
