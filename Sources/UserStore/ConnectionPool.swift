import Dispatch
import GRDB
import Synchronization
import UserDomain

/// Connections that threads take, use inline and give back: a lock and a pop.
///
/// Connections are opened when they are first needed, up to a limit. A thread that finds none waits until one
/// is given back, which takes as long as one short read. Nothing suspends while it has a connection.
///
/// A pool of readers keeps a connection's read transaction, its snapshot, open from one read to the next,
/// because beginning and ending one costs more than the read itself (two file locks). A snapshot serves only
/// reads that begin before the next commit of this process (``invalidateSnapshots()``), and is ended at the
/// latest ``snapshotLifetime`` after it began, so that commits of other processes are seen and the
/// write-ahead log can be reused.
final class ConnectionPool: Sendable {
  /// How late a read may see what another process has committed.
  static let snapshotLifetime = DispatchTimeInterval.milliseconds(5)

  /// A thread that waits, and the connection that it is handed.
  private final class Waiter: Sendable {
    let semaphore = DispatchSemaphore(value: 0)
    let connection = Mutex<UserConnection?>(nil)
  }

  private struct State {
    var idle: [UserConnection]
    var open: Int
    var waiters: [Waiter] = []
    var isClosed = false
    /// Counts the moments after which older snapshots serve no new read.
    var generation: UInt64 = 0
    var isExpiryScheduled = false
  }

  private enum Turn {
    case use(UserConnection)
    case openAnother
    case wait(Waiter)
    case closed
  }

  private let state: Mutex<State>
  private let limit: Int
  private let keepsSnapshots: Bool
  private let open: @Sendable () throws(StoreError) -> UserConnection
  private let expiryQueue = DispatchQueue(label: "user-store.snapshots", qos: .utility)

  /// A pool of at most `limit` connections that `open` makes, with `first` already open.
  init(
    limit: Int, keepsSnapshots: Bool, first: UserConnection? = nil,
    open: @escaping @Sendable () throws(StoreError) -> UserConnection
  ) {
    state = Mutex(State(idle: first.map { [$0] } ?? [], open: first == nil ? 0 : 1))
    self.limit = max(limit, 1)
    self.keepsSnapshots = keepsSnapshots
    self.open = open
  }

  /// A pool of one connection, for whom the writer is, and readers too when the database is in memory.
  convenience init(of connection: UserConnection) {
    self.init(limit: 1, keepsSnapshots: false, first: connection) { () throws(StoreError) in
      throw .inaccessible(path: "", reason: "a pool of one connection opens no other")
    }
  }

  /// Runs `body` on the calling thread with a connection that nobody else uses meanwhile.
  ///
  /// - Throws: `UserError.storage` for SQLite's failures, `.shuttingDown` after ``close()``.
  func withConnection<Value>(
    _ body: (UserConnection) throws(DatabaseError) -> Value
  ) throws(UserError) -> Value {
    let (connection, generation) = try take()
    defer { giveBack(connection) }
    do {
      if keepsSnapshots, connection.snapshotGeneration != generation {
        try connection.beginSnapshot(generation)
        scheduleExpiry()
      }
      return try body(connection)
    } catch {
      throw .storage(StorageFault(error))
    }
  }

  /// Every read that begins after this sees what is committed now.
  func invalidateSnapshots() {
    state.withLock { $0.generation += 1 }
  }

  /// Ends the snapshots of idle connections that serve no new read any more. Those of connections in use are
  /// ended when they are used again, or by a later call.
  func endIdleSnapshots() {
    // Readers may begin new snapshots meanwhile; this does not run after them.
    let now = state.withLock { $0.generation }
    while let connection = state.withLock({ state -> UserConnection? in
      guard let index = state.idle.firstIndex(where: { $0.snapshotGeneration.map { $0 < now } ?? false })
      else {
        return nil
      }
      return state.idle.remove(at: index)
    }) {
      connection.endSnapshot()
      giveBack(connection)
    }
  }

  /// Closes the idle connections now and the others as they come back; later uses throw `.shuttingDown`.
  func close() throws {
    let (idle, waiters) = state.withLock { state in
      state.isClosed = true
      defer { (state.idle, state.waiters) = ([], []) }
      return (state.idle, state.waiters)
    }
    for waiter in waiters { waiter.semaphore.signal() }
    for connection in idle { try connection.close() }
  }

  private func take() throws(UserError) -> (UserConnection, generation: UInt64) {
    let (turn, generation) = state.withLock { state -> (Turn, UInt64) in
      if let connection = state.idle.popLast() { return (.use(connection), state.generation) }
      if state.isClosed { return (.closed, 0) }
      if state.open < limit {
        state.open += 1
        return (.openAnother, state.generation)
      }
      let waiter = Waiter()
      state.waiters.append(waiter)
      return (.wait(waiter), state.generation)
    }
    switch turn {
    case .use(let connection): return (connection, generation)
    case .closed: throw .shuttingDown
    case .openAnother: return (try openAnother(), generation)
    case .wait(let waiter):
      waiter.semaphore.wait()
      // Woken without a connection: the pool was closed, or another thread failed to open one. Look again.
      guard let connection = waiter.connection.withLock({ $0.take() }) else { return try take() }
      return (connection, generation)
    }
  }

  private func openAnother() throws(UserError) -> UserConnection {
    do {
      return try open()
    } catch {
      let waiter = state.withLock { state -> Waiter? in
        state.open -= 1
        return state.waiters.isEmpty ? nil : state.waiters.removeFirst()
      }
      waiter?.semaphore.signal()
      guard case .storage(_, let fault) = error else {
        throw .storage(StorageFault(kind: .inputOutput, resultCode: 0, message: error.description))
      }
      throw .storage(fault)
    }
  }

  private func giveBack(_ connection: UserConnection) {
    let (waiter, isClosed) = state.withLock { state -> (Waiter?, Bool) in
      if state.isClosed { return (nil, true) }
      if !state.waiters.isEmpty { return (state.waiters.removeFirst(), false) }
      state.idle.append(connection)
      return (nil, false)
    }
    if let waiter {
      waiter.connection.withLock { $0 = connection }
      waiter.semaphore.signal()
    } else if isClosed {
      // Whoever closed the pool is gone, and there is nothing left to lose on a connection that only reads:
      // the writer's comes back before the pool is closed.
      try? connection.close()
    }
  }

  private func scheduleExpiry() {
    let isDue = state.withLock { state in
      defer { state.isExpiryScheduled = true }
      return !state.isExpiryScheduled
    }
    guard isDue else { return }
    expiryQueue.asyncAfter(deadline: .now() + Self.snapshotLifetime) { [weak self] in
      guard let self else { return }
      state.withLock { state in
        state.generation += 1
        state.isExpiryScheduled = false
      }
      endIdleSnapshots()
      // A read that is under way may give back a snapshot that is due.
      if state.withLock({ !$0.isClosed && $0.open > $0.idle.count }) { scheduleExpiry() }
    }
  }
}
