import Dispatch
import GRDB
import Synchronization
public import UserDomain
public import UserStore

/// The checks that a service makes of its database from time to time.
extension SQLiteUserRepository: ServiceStore {
  /// The reason why writes fail: the last one failed, or the files were deleted or replaced. nil while writes succeed.
  /// Takes nanoseconds, and never touches the disk.
  public var writeFault: StorageFault? { writer.fault }

  /// Returns a fault of this database as an error for operators, which prints as one line.
  public func failure(_ fault: StorageFault) -> StoreError {
    .storage(path: location.description, fault)
  }

  /// Checks whether the files have moved (see ``writeFault``), and whether another process has revoked tokens, which
  /// ``revocations`` then has; releases the page caches of idle connections; erases what is left of purged users. It runs on its own thread, in microseconds
  /// unless revocations must be loaded. Call it at least once a second.
  public func inspect() async {
    await withCheckedContinuation { continuation in
      inspectionQueue.async {
        self.writer.checkFiles()
        self.learnRevocations()
        self.writer.tidy(now: .now)
        for pool in [self.readers, self.writers] { pool.releaseIdleMemory(now: .now) }
        continuation.resume()
      }
    }
  }

  /// Tests, during a ``writeFault``, whether writes succeed again, by writing some pages and deleting them. May take as
  /// long as the busy timeout.
  public func recover() async {
    guard let fault = writeFault, fault.kind != .moved, await isMigrated() else { return }
    // A failure is the same fault, or one that replaces it.
    try? await writer.tryToWrite()
  }

  /// Erases the deleted users that are due to be purged at `now`, a few in each transaction, and lets other writes in
  /// between. Returns their number.
  ///
  /// - Throws: `UserError.storage`, `.overloaded`, `.cancelled`, `.shuttingDown`. Some users may be erased then.
  public func purge(at now: Timestamp) async throws(UserError) -> Int {
    var count = 0
    while try readers.withConnection({ (connection) throws(DatabaseError) in
      try connection.reads.hasUsersToPurge(at: now)
    }) {
      let purged = try await writer.write(rows: Self.purgedUsers) { (statements) throws(DatabaseError) in
        .success(try statements.changes.purge(at: now, limit: Self.purgedUsers))
      }
      count += purged
    }
    return count
  }

  private static let purgedUsers = 64

  /// Returns whether the database has all migrations, as far as it can be read.
  private func isMigrated() async -> Bool {
    await withCheckedContinuation { continuation in
      inspectionQueue.async {
        do throws(UserError) {
          try self.writers.withConnection { (connection) throws(DatabaseError) in
            try connection.requireSchema()
          }
          continuation.resume(returning: true)
        } catch {
          // The fault remains, whatever this failure is.
          continuation.resume(returning: false)
        }
      }
    }
  }

  private func learnRevocations() {
    guard readers !== writers else { return }
    do throws(UserError) {
      if try writers.withConnection({ (connection) throws(DatabaseError) in try connection.noteOtherCommits()
      }) {
        stored.withLock { $0.mayBeStale = true }
      }
      let known = stored.withLock { $0 }
      guard known.mayBeStale else { return }
      readers.invalidateSnapshots()
      let mark = try readers.withConnection { (connection) throws(DatabaseError) in
        try StoredRevocations.mark(connection.connection)
      }
      let learned =
        mark == known.mark
        ? mark
        : try writers.withConnection { (connection) throws(DatabaseError) in
          try StoredRevocations.load(revocations, from: connection)
        }
      stored.withLock { $0 = StoredRevocations.Knowledge(mark: learned) }
    } catch {
      // The next inspection tries again, and health checks read too.
    }
  }
}
