import Dispatch
import GRDB
import Synchronization
import UserDomain
import UserStore

/// A write and the statements that it runs.
struct StatementWrite: StoreWrite {
  typealias Perform = @Sendable (UserWriteStatements) throws(DatabaseError) -> Void

  let queued: QueuedWrite
  /// Performs the write inside the open transaction and keeps the result. May be called again after a rollback.
  ///
  /// It throws for a failure that requires a rollback. A domain error is a result, not a failure.
  let perform: Perform
}

/// The one writer. Writes that arrive during a transaction share the next one and its single fsync.
///
/// It runs on its own dispatch queue and never delays a write: a lone write is committed at once, and transactions
/// follow each other as long as writes wait. Each caller gets its response after its commit is durable.
final class GroupCommitWriter: Sendable {
  private let queue: Mutex<WriteQueue<StatementWrite>>
  private let connections: ConnectionPool
  private let readers: ConnectionPool
  private let revocations: RevocationList
  private let files: DatabaseFiles?
  private let pagesBetweenCheckpoints: Int
  private let health = WriteHealth()
  /// Whether the log, or the file, may still have what was erased from the database. An earlier process may have left it.
  private let hasTraces = Atomic(true)
  private let dispatchQueue = DispatchQueue(label: "user-store.writer", qos: .userInitiated)

  /// Creates a writer that uses a connection of `connections` for each transaction. It invalidates the snapshots of
  /// `readers` after commits, and reports revoked tokens to `revocations`. It commits nothing to `files` that have
  /// moved. It moves the log into the database when it has `pagesBetweenCheckpoints` or more.
  init(
    connections: ConnectionPool, readers: ConnectionPool, revocations: RevocationList, files: DatabaseFiles?,
    limits: WriteLimits, pagesBetweenCheckpoints: Int
  ) {
    self.connections = connections
    self.readers = readers
    self.revocations = revocations
    self.files = files
    self.pagesBetweenCheckpoints = pagesBetweenCheckpoints
    queue = Mutex(WriteQueue(limits: limits))
  }

  /// The number of writes waiting for a transaction.
  var waitingWrites: Int { queue.withLock { $0.waitingWrites } }

  /// Whether writes that are not imports wait.
  var hasOtherWrites: Bool { queue.withLock { $0.hasOtherWrites } }

  /// Whether a transaction is running or about to begin.
  var isWriting: Bool { queue.withLock { $0.isDraining } }

  /// The reason why the last transaction failed, if it affects later writes too; else nil.
  var fault: StorageFault? { health.fault }

  /// Checks whether the files have moved, so that ``fault`` is correct even when nothing is written.
  func checkFiles() {
    do throws(DatabaseError) {
      try files?.requireUnmoved()
      health.filesAreInPlace()
    } catch {
      health.failed(StorageFault(error))
    }
  }

  /// Tests, during a ``fault``, whether writes succeed again, by writing some pages and deleting them.
  ///
  /// - Throws: `UserError` while they fail.
  func tryToWrite() async throws(UserError) {
    try await write(rows: 1) { (statements) throws(DatabaseError) in .success(try statements.makeTrial()) }
    try await write(rows: 1) { (statements) throws(DatabaseError) in .success(try statements.removeTrial()) }
    health.recovered()
  }

  /// Performs `work`, which writes at most `rows` rows, in a transaction, alone or with others. One that is part of an
  /// import gets a larger page cache.
  ///
  /// - Throws: the failure that `work` returns; `UserError.storage`, `.overloaded`, `.cancelled` and `.shuttingDown`
  ///   when nothing was stored.
  func write<Value: Sendable>(
    rows: Int, isImport: Bool = false,
    _ work: @escaping @Sendable (UserWriteStatements) throws(DatabaseError) -> WriteAnswer<Value>.Answer
  ) async throws(UserError) -> Value {
    let answer = WriteAnswer<Value>()
    let queued = QueuedWrite(rows: rows, isImport: isImport)
    let write = StatementWrite(queued: queued) { statements throws(DatabaseError) in
      answer.keep(try work(statements))
    }
    try await queued.commit { submit(write) }
    return try answer.take()
  }

  /// Refuses new writes, and returns once the accepted ones have ended.
  func close() async {
    queue.withLock { $0.closed() }
    await withCheckedContinuation { continuation in
      // Queued behind a running drain, which continues until nothing waits.
      dispatchQueue.async { continuation.resume() }
    }
  }

  private func submit(_ write: StatementWrite) {
    let refusal = queue.withLock { queue -> UserError? in
      switch queue.submitted(write) {
      case .queued: return nil
      case .startDrain:
        // Dispatched under the lock, so that `close` cannot overtake it.
        dispatchQueue.async { self.drain() }
        return nil
      case .refused(let error): return error
      }
    }
    if let refusal { write.queued.end(refusal) }
  }

  private func drain() {
    while true {
      let group = queue.withLock { $0.nextGroup() }
      if group.isEmpty { return }
      let writes = group.filter { $0.queued.start() }
      if !writes.isEmpty { commit(writes) }
      checkpointIfDue()
      eraseTraces()
    }
  }

  /// Empties the log after users were erased, which also writes their pages. Readers may keep it from that; then the next
  /// transaction, or ``retryErasure()``, tries again.
  private func eraseTraces() {
    guard hasTraces.load(ordering: .acquiring) else { return }
    do {
      try connections.withConnection { (connection) throws(DatabaseError) in
        readers.invalidateSnapshots()
        readers.endIdleSnapshots()
        if try connection.connection.emptyLog() { hasTraces.store(false, ordering: .releasing) }
      }
    } catch {
      // The disk is failing, or the database is closed, which empties the log too.
    }
  }

  /// The pages of the log from which a commit is followed by a checkpoint while users are imported: 64 MiB.
  private static let pagesOfImport = 16_384

  /// Does what waits for a pause: erases what readers have kept in the log, and ends the treatment of an import. Called
  /// from time to time.
  func tidy(now: ContinuousClock.Instant) {
    dispatchQueue.async {
      self.eraseTraces()
      // A connection that is not open, or fails, has nothing to give back.
      let hasEnded = try? self.connections.withConnection { (connection) throws(DatabaseError) in
        connection.endImport(now: now)
      }
      if hasEnded == true { self.checkpointIfDue() }
    }
  }

  /// Moves a long log into the database, after the responses to the writes in it.
  ///
  /// The next transaction can restart the log only if everything was moved and no reader uses it. So snapshots are
  /// ended before the move, which they would hold up, and after it, so that the next ones need no log.
  private func checkpointIfDue() {
    do {
      try connections.withConnection { (connection) throws(DatabaseError) in
        // The pages of many batches of an import are moved together, because most are the same.
        let pages = connection.isImporting ? Self.pagesOfImport : pagesBetweenCheckpoints
        guard connection.connection.pagesInWAL >= pages else { return }
        readers.endIdleSnapshots()  // The last commit made them stale.
        try connection.connection.checkpoint(.passive)
        readers.invalidateSnapshots()
        readers.endIdleSnapshots()
      }
    } catch {
      // Nothing is lost: the log keeps the commits, and the next commit tries again. If the disk is failing, that
      // commit reports it to its caller.
    }
  }

  private func commit(_ group: [StatementWrite]) {
    do throws(UserError) {
      switch try connections.withConnection({ (connection) throws(DatabaseError) in
        try transact(group, on: connection)
      }) {
      case .committed:
        health.committed()
        for write in group { write.queued.end(nil) }
      case .rolledBack(let fault):
        retryAlone(group, after: fault)
      }
    } catch {
      if case .storage(let fault) = error { health.failed(fault) }
      for write in group { write.queued.end(error) }
    }
  }

  /// Retries each write of a failed group in its own transaction, so that only the failing one fails. Nothing was
  /// stored or acknowledged yet.
  private func retryAlone(_ group: [StatementWrite], after fault: StorageFault) {
    if group.count == 1 {
      // An unexpected failure may be due to this one write.
      if fault.kind != .unexpected { health.failed(fault) }
      group[0].queued.end(.storage(fault))
    } else {
      for write in group { commit([write]) }
    }
  }

  private enum Outcome {
    case committed
    /// A write failed in a way that leaves the transaction unusable.
    case rolledBack(StorageFault)
  }

  /// Performs a group of writes in a transaction. After any failure, no transaction is open, or the connection is
  /// broken.
  ///
  /// - Throws: the failure to begin or to commit, which affects every write.
  private func transact(
    _ group: [StatementWrite], on connection: UserConnection
  ) throws(DatabaseError) -> Outcome {
    // Ends a transaction that an earlier failure has left open.
    connection.endTransaction()
    if connection.isBroken {
      throw DatabaseError(resultCode: .SQLITE_IOERR, message: "an earlier transaction cannot be rolled back")
    }
    defer { connection.endTransaction() }
    if group.contains(where: \.queued.isImport) { connection.noteImport() }
    let statements = try connection.beginTransaction()
    do throws(DatabaseError) {
      for write in group { try write.perform(statements) }
    } catch {
      connection.endTransaction()
      return .rolledBack(StorageFault(connection.explained(error)))
    }
    // Checked at the last moment, so that no commit to a moved file is acknowledged.
    try files?.requireUnmoved()
    try statements.commitTransaction()
    // Done before the responses, so that a client that has one reads its write, and no revoked token is accepted. Done
    // while the connection is held, so that the list gets this process's and others' commits in order.
    readers.invalidateSnapshots()
    if statements.changes.hasErased { hasTraces.store(true, ordering: .releasing) }
    let ended = statements.sessions.revocations
    if !ended.isEmpty { revocations.apply(ended) }
    return .committed
  }
}
