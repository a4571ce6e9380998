import GRDB

/// A connection with the compiled statements about users.
///
/// `@unchecked Sendable`: a connection is used only by the thread that holds the lock of its place in the
/// `ConnectionPool`, which orders one thread's use before the next one's.
final class UserConnection: @unchecked Sendable {
  let connection: SQLiteConnection
  /// The pool's generation when the open read transaction began; nil if none is open.
  private(set) var snapshotGeneration: UInt64?
  private var readStatements: UserReadStatements?
  private var writeStatements: UserWriteStatements?
  private var signInStatements: SignInReadStatements?

  /// Compiles the statements, those that write only if `writes` is given.
  init(_ connection: SQLiteConnection, writes: WriteSettings?) throws(DatabaseError) {
    self.connection = connection
    let reads = try UserReadStatements(connection)
    readStatements = reads
    if let writes { writeStatements = try UserWriteStatements(connection, writes, reads: reads) }
  }

  /// The statements that read.
  var reads: UserReadStatements {
    get throws(DatabaseError) {
      guard let readStatements else { throw Self.closed }
      return readStatements
    }
  }

  /// The statements that read what has failed before at an account: compiled when they are first needed.
  var signIns: SignInReadStatements {
    get throws(DatabaseError) {
      if let signInStatements { return signInStatements }
      guard readStatements != nil else { throw Self.closed }
      let statements = try SignInReadStatements(connection)
      signInStatements = statements
      return statements
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
    // (sqlite.org/lang_transaction.html); if it did, the next BEGIN would fail and say so.
    try? reads.end.run()
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
