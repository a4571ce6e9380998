import Dispatch
import GRDB
import Synchronization
import UserDomain

/// The one writer: writes that arrive while a transaction is under way share the next one and its single
/// fsync.
///
/// It runs on a dispatch queue of its own. It never waits for company: a lone write is committed at once, and
/// as long as writes wait the next transaction follows the last. Each caller is answered after its commit is
/// durable.
final class GroupCommitWriter: Sendable {
  /// SQLite's own default (sqlite.org/pragma.html#pragma_wal_autocheckpoint).
  private static let pagesBetweenCheckpoints = 1_000

  private let queue: Mutex<WriteQueue>
  private let connections: ConnectionPool
  private let readers: ConnectionPool
  private let revocations: RevocationList
  private let files: DatabaseFiles?
  private let health = WriteHealth()
  private let dispatchQueue = DispatchQueue(label: "user-store.writer", qos: .userInitiated)

  /// A writer that uses a connection of `connections` for each transaction, and tells `readers` of
  /// commits and `revocations` of the tokens that they end. It commits nothing to `files` that were moved.
  init(
    connections: ConnectionPool, readers: ConnectionPool, revocations: RevocationList, files: DatabaseFiles?,
    limits: WriteQueue.Limits
  ) {
    self.connections = connections
    self.readers = readers
    self.revocations = revocations
    self.files = files
    queue = Mutex(WriteQueue(limits: limits))
  }

  /// Writes that no transaction has taken yet.
  var waitingWrites: Int { queue.withLock { $0.waitingWrites } }

  /// Whether a transaction is under way or about to begin.
  var isWriting: Bool { queue.withLock { $0.isDraining } }

  /// Why the last transaction was not committed, if writes go on failing for that reason; else nil.
  var fault: StorageFault? { health.fault }

  /// Notes whether the files are where they were, so that ``fault`` is right although nothing is written.
  func checkFiles() {
    do throws(DatabaseError) {
      try files?.requireUnmoved()
      health.filesAreInPlace()
    } catch {
      health.failed(StorageFault(error))
    }
  }

  /// While there is a ``fault``: finds out whether writes succeed again, by writing some pages and deleting them.
  ///
  /// - Throws: `UserError`, as long as they do not.
  func tryToWrite() async throws(UserError) {
    try await write(rows: 1) { (statements) throws(DatabaseError) in .success(try statements.makeTrial()) }
    try await write(rows: 1) { (statements) throws(DatabaseError) in .success(try statements.removeTrial()) }
    health.recovered()
  }

  /// Does `work`, which writes at most `rows` rows, in a transaction, alone or with others.
  ///
  /// - Throws: the failure that `work` answers; `UserError.storage`, `.overloaded`, `.cancelled` and
  ///   `.shuttingDown` when nothing was stored.
  func write<Value: Sendable>(
    rows: Int,
    _ work: @escaping @Sendable (UserWriteStatements) throws(DatabaseError) -> WriteAnswer<Value>.Answer
  ) async throws(UserError) -> Value {
    let answer = WriteAnswer<Value>()
    let write = QueuedWrite(rows: rows) { statements throws(DatabaseError) in
      answer.keep(try work(statements))
    }
    try await write.commit(submit: submit)
    return try answer.take()
  }

  /// Refuses new writes and returns once those that were accepted are answered.
  func close() async {
    queue.withLock { $0.closed() }
    await withCheckedContinuation { continuation in
      // Behind the drain that is under way, if any, which goes on until nothing waits.
      dispatchQueue.async { continuation.resume() }
    }
  }

  private func submit(_ write: QueuedWrite) {
    let refusal = queue.withLock { queue -> UserError? in
      switch queue.submitted(write) {
      case .queued: return nil
      case .startDrain:
        // Under the lock, so that `close` cannot get ahead of it.
        dispatchQueue.async { self.drain() }
        return nil
      case .refused(let error): return error
      }
    }
    if let refusal { write.end(refusal) }
  }

  private func drain() {
    while true {
      let group = queue.withLock { $0.nextGroup() }
      if group.isEmpty { return }
      let writes = group.filter { $0.start() }
      if !writes.isEmpty { commit(writes) }
      checkpointIfDue()
    }
  }

  /// Moves the log into the database once it is long, after the writes in it are answered.
  ///
  /// The next transaction can begin the log anew only if everything was moved and no reader is left in it. So
  /// snapshots are ended before, lest they hold the move up, and after, so that the next ones need no log.
  private func checkpointIfDue() {
    do {
      try connections.withConnection { (connection) throws(DatabaseError) in
        guard connection.connection.pagesInWAL >= Self.pagesBetweenCheckpoints else { return }
        readers.endIdleSnapshots()  // The commit before has made them due.
        try connection.connection.checkpoint(.passive)
        readers.invalidateSnapshots()
        readers.endIdleSnapshots()
      }
    } catch {
      // Nothing is lost: the log keeps what was committed, the next commit tries again, and if the disk is
      // failing that commit says so to its caller.
    }
  }

  private func commit(_ group: [QueuedWrite]) {
    do throws(UserError) {
      switch try connections.withConnection({ (connection) throws(DatabaseError) in
        try transact(group, on: connection)
      }) {
      case .committed:
        health.committed()
        for write in group { write.end(nil) }
      case .rolledBack(let fault):
        retryAlone(group, after: fault)
      }
    } catch {
      if case .storage(let fault) = error { health.failed(fault) }
      for write in group { write.end(error) }
    }
  }

  /// One write made the transaction fail. Nothing is stored or answered yet, so each gets a transaction of
  /// its own and the one that failed fails alone.
  private func retryAlone(_ group: [QueuedWrite], after fault: StorageFault) {
    if group.count == 1 {
      // What is unexpected may be due to this one write.
      if fault.kind != .unexpected { health.failed(fault) }
      group[0].end(.storage(fault))
    } else {
      for write in group { commit([write]) }
    }
  }

  private enum Outcome {
    case committed
    /// A write failed in a way that leaves the transaction unusable.
    case rolledBack(StorageFault)
  }

  /// Whatever fails, no transaction is open when this returns, or the connection is broken.
  ///
  /// - Throws: the failure to begin or to commit, which is every write's.
  private func transact(
    _ group: [QueuedWrite], on connection: UserConnection
  ) throws(DatabaseError) -> Outcome {
    // A transaction that an earlier failure has left open.
    connection.endTransaction()
    if connection.isBroken {
      throw DatabaseError(resultCode: .SQLITE_IOERR, message: "an earlier transaction cannot be rolled back")
    }
    defer { connection.endTransaction() }
    let statements = try connection.writes
    try statements.beginTransaction()
    do throws(DatabaseError) {
      for write in group { try write.perform(statements) }
    } catch {
      connection.endTransaction()
      return .rolledBack(StorageFault(connection.explained(error)))
    }
    // At the last moment, so that no commit to a file without its path is acknowledged.
    try files?.requireUnmoved()
    try statements.commitTransaction()
    // Before the answers, so that a client that has one reads what it says, and no token that it ends is accepted; and
    // while the connection is held, so that the list learns of this process's and others' commits in their order.
    readers.invalidateSnapshots()
    let ended = statements.sessions.revocations
    if !ended.isEmpty { revocations.apply(ended) }
    return .committed
  }
}
