import Synchronization
import UserDomain
import UserStore

/// Commits writes in groups: those that arrive together share a transaction, whose statements leave in one packet, and its
/// one wait for the disk.
///
/// Every transaction begins with the lock of `store_revision`, so that the transactions of all services are one after
/// another. Where none of its writes has to read first, a transaction is one round trip; otherwise it is two.
actor PostgresWriter {
  /// How often a transaction is tried again that lost against another.
  private static let attempts = 10

  nonisolated private let connection: PostgresConnection
  nonisolated private let feed: RevocationFeed
  nonisolated private let health = WriteHealth()
  nonisolated private let queue: Mutex<WriteQueue<PostgresWrite>>
  private var context: WriteContext
  private var forecast = ConflictForecast()
  private var draining: Task<Void, Never>?

  nonisolated var unownedExecutor: UnownedSerialExecutor { connection.unownedExecutor }

  init(
    _ connection: PostgresConnection, _ feed: RevocationFeed, _ settings: WriteSettings, limits: WriteLimits
  ) {
    self.connection = connection
    self.feed = feed
    queue = Mutex(WriteQueue(limits: limits))
    context = WriteContext(clock: settings.clock, ids: settings.ids)
  }

  /// The reason why writes fail; nil while they succeed.
  nonisolated var fault: StorageFault? { health.fault }

  /// The number of writes that wait for a transaction.
  nonisolated var waitingWrites: Int { queue.withLock { $0.waitingWrites } }

  /// Whether a transaction is running or about to begin.
  nonisolated var isWriting: Bool { queue.withLock { $0.isDraining } }

  /// Whether writes that are not imports wait.
  nonisolated var hasOtherWrites: Bool { queue.withLock { $0.hasOtherWrites } }

  /// Performs a write of at most `rows` rows, in a transaction, alone or with others.
  ///
  /// - Throws: the failure that the operation returns; `UserError.storage`, `.overloaded`, `.cancelled` and
  ///   `.shuttingDown`.
  nonisolated func write<Value>(
    rows: Int = 1, isImport: Bool = false, _ operation: WriteOperation<Value>
  ) async throws(UserError) -> Value {
    let answer = WriteAnswer<Value>()
    let write = PostgresWrite(rows: rows, isImport: isImport, operation) { answer.keep($0) }
    try await write.queued.commit { submit(write) }
    return try answer.take()
  }

  nonisolated private func submit(_ write: PostgresWrite) {
    let refusal = queue.withLock { queue -> UserError? in
      switch queue.submitted(write) {
      case .queued: return nil
      case .startDrain:
        Task { await self.startDrain() }
        return nil
      case .refused(let error): return error
      }
    }
    if let refusal { write.queued.end(refusal) }
  }

  /// Refuses new writes, and returns once the accepted ones have ended.
  func close() async {
    queue.withLock { $0.closed() }
    startDrain()
    await draining?.value
  }

  /// Drains the queue once a drain that is about to end has ended: the connection has one transaction at a time.
  private func startDrain() {
    draining = Task { [draining] in
      await draining?.value
      await drain()
    }
  }

  private func drain() async {
    while true {
      let group = queue.withLock { $0.nextGroup() }
      if group.isEmpty { return }
      let writes = group.filter { $0.queued.start() }
      if !writes.isEmpty { await commit(writes) }
    }
  }

  private func commit(_ group: [PostgresWrite]) async {
    guard let failure = await transact(group) else {
      health.committed()
      for write in group { write.queued.end(nil) }
      return
    }
    if failure.origin == .statement, group.count > 1, !failure.concernsAll {
      await commitEach(of: group)
    } else {
      // An unexpected failure may be due to this one write.
      fail(group[...], failure, isTheirOwn: group.count == 1)
    }
  }

  /// Commits writes one by one, so that only that fails which is at fault. Nothing was stored or acknowledged yet.
  private func commitEach(of group: [PostgresWrite]) async {
    for (index, write) in group.enumerated() {
      if let failure = await transact([write]) {
        fail([write], failure, isTheirOwn: true)
        // The others would fail, too, each after its own wait.
        if failure.origin != .statement || failure.concernsAll { return fail(group[(index + 1)...], failure) }
      } else {
        health.committed()
        write.queued.end(nil)
      }
    }
  }

  private func fail(_ writes: ArraySlice<PostgresWrite>, _ failure: PostgresFailure, isTheirOwn: Bool = false)
  {
    let fault = StorageFault(failure)
    if fault.kind != .unexpected || !isTheirOwn { health.failed(fault) }
    for write in writes { write.queued.end(UserError(failure)) }
  }

  /// Performs a group of writes, and tries again if it lost against another transaction. Returns the failure.
  private func transact(_ group: [PostgresWrite]) async -> PostgresFailure? {
    var failure: PostgresFailure?
    for _ in 0..<Self.attempts {
      let isChecked = forecast.expectsConflict(among: group.reduce(0) { $0 + $1.queued.rows })
      do throws(PostgresFailure) {
        try await transactOnce(group, isChecked: isChecked)
        forecast.committed()
        return nil
      } catch {
        failure = error
        // An open transaction must end before another one begins. On a lost connection, none is open.
        if error.origin == .statement { _ = try? await connection.run([WriteStatements.rollback]) }
        if !isChecked, [NewUserRow].isConflict(error) {
          forecast.metConflict()
        } else if !error.isConflict {
          break
        }
      }
    }
    return failure
  }

  private func transactOnce(_ group: [PostgresWrite], isChecked: Bool) async throws(PostgresFailure) {
    if group.allSatisfy(\.reads.isEmpty), try await transactAtOnce(group, isChecked: isChecked) { return }
    try await transactAfterReading(group, isChecked: isChecked)
  }

  // MARK: One round trip

  /// Performs writes that need not read, with ids that are assigned before the lock is there. Returns false, with nothing
  /// stored, if another service has assigned greater ones; or if an authority was checked and another service has the lock.
  private func transactAtOnce(
    _ group: [PostgresWrite], isChecked: Bool
  ) async throws(PostgresFailure) -> Bool {
    var context = self.context
    let plans = try Self.plans(of: group, reads: [], &context)
    let body = WriteStatements.body(of: plans, isChecked: isChecked)
    // An authority that is valid now may not be when a wait for the lock ends.
    let lock = group.contains(where: \.checksAuthority) ? [WriteStatements.lockAtOnce] : []
    let commands =
      [WriteStatements.begin] + lock + [WriteStatements.advance(context.firstID, context.greatestID)]
      + body.commands + [WriteStatements.commit]
    let results: [QueryResult]
    do throws(PostgresFailure) {
      results = try await connection.run(commands)
    } catch  where WriteStatements.isOutOfOrder(error) || !lock.isEmpty && error.isLocked {
      _ = try await connection.run([WriteStatements.rollback])
      return false
    }
    keep(context)
    let advance = 1 + lock.count
    try finish(plans, body, results, revision: results[advance].integer(0, 0), first: advance + 1)
    return true
  }

  // MARK: Two round trips

  private func transactAfterReading(
    _ group: [PostgresWrite], isChecked: Bool
  ) async throws(PostgresFailure) {
    let found = try await connection.run(
      [WriteStatements.begin, WriteStatements.lock] + group.flatMap(\.reads))
    var context = self.context
    if let last = found[1].id(0, 0) { context.advance(past: last) }
    let plans = try Self.plans(of: group, reads: found[2...], &context)
    let body = WriteStatements.body(of: plans, isChecked: isChecked)
    let results = try await connection.run(
      [WriteStatements.advance(context.firstID, context.greatestID)] + body.commands + [
        WriteStatements.commit
      ])
    keep(context)
    try finish(plans, body, results, revision: results[0].integer(0, 0), first: 1)
  }

  private static func plans(
    of group: [PostgresWrite], reads: ArraySlice<QueryResult>, _ context: inout WriteContext
  ) throws(PostgresFailure) -> [PlannedWrite<Void>] {
    var plans: [PlannedWrite<Void>] = []
    plans.reserveCapacity(group.count)
    var rest = reads
    for write in group {
      let count = write.reads.count
      plans.append(try write.decide(rest.prefix(count), &context))
      rest = rest.dropFirst(count)
    }
    return plans
  }

  /// Keeps what a transaction has learned of ids, for the next one.
  private func keep(_ context: WriteContext) {
    var next = WriteContext(clock: context.clock, ids: context.ids)
    swap(&self.context, &next)
  }

  /// Gives the writes their results, and the list of revoked tokens what they have revoked, before any caller hears of it.
  private func finish(
    _ plans: [PlannedWrite<Void>], _ body: WriteStatements.Body, _ results: [QueryResult], revision: Int64,
    first: Int
  ) throws(PostgresFailure) {
    // A transaction that had failed would end with another tag, and without an error.
    guard results.last?.tag == "COMMIT" else {
      throw PostgresFailure(origin: .statement, state: "", message: "the transaction was not committed")
    }
    var stored: Set<UserID> = []
    if body.storesUsers {
      let rows = results[first]
      for row in 0..<rows.count { if let id = rows.id(row, 0) { stored.insert(id) } }
    }
    var revoked: [RevocationList.Event] = []
    for (plan, range) in zip(plans, body.ranges) {
      var committed = CommittedWrite(
        stored: stored, results: results[(range.lowerBound + first)..<(range.upperBound + first)])
      _ = plan.finish(&committed)
      revoked += committed.revoked
    }
    if !revoked.isEmpty { feed.committed(revoked, at: revision) }
  }

  // MARK: Health

  /// Tests whether writes succeed, by a transaction that changes nothing but the revision.
  nonisolated func tryToWrite() async {
    do throws(UserError) {
      try await write(rows: 0, WriteOperation<Void>(decide: { _, _ in .done(()) }))
      health.recovered()
    } catch {
      // The fault remains, or another has replaced it.
    }
  }

  /// Records that reading fails, although nothing was written.
  nonisolated func readingFailed(_ failure: PostgresFailure) { health.failed(StorageFault(failure)) }
}

extension PostgresFailure {
  /// Whether every write would fail: of the group none is at fault.
  fileprivate var concernsAll: Bool {
    // Locks and time limits, conflicts that did not end, resources of the server such as its disk, and its files.
    isTimeout || isConflict || state.hasPrefix("53") || state.hasPrefix("58")
  }
}
