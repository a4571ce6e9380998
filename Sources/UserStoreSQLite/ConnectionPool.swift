import Dispatch
import GRDB
import Primitives
import Synchronization
import UserDomain
import UserStore

/// A pool of connections that threads use inline. A thread keeps its own connection while there are enough, so that
/// SQLite's memory for it stays in one processor's cache.
///
/// A thread takes its own connection. If that is in use or not open, it takes any idle open one, but not often without
/// opening its own. If all are in use, it opens its own, or waits for it, which takes as long as one short read. Beyond
/// the limit, threads share connections.
/// No caller suspends while it holds a connection, or takes a second one.
///
/// GRDB's `DatabasePool` is not used: there each read is a transaction of its own, and all threads share the pool's
/// lock.
///
/// A pool of readers keeps a connection's read transaction, its snapshot, open from one read to the next. Beginning and
/// ending one costs more than the read itself (two file locks). A snapshot serves only reads that begin before the next
/// commit of this process (``invalidateSnapshots()``). It ends at the latest ``snapshotLifetime`` after its beginning,
/// so that reads see other processes' commits and the write-ahead log can be reused.
final class ConnectionPool: Sendable {
  /// The maximum delay before a read sees a commit of another process.
  static let snapshotLifetime = DispatchTimeInterval.milliseconds(5)

  /// How often a thread uses the idle connections of others before it opens its own.
  private static let fewMisses = 100

  /// A slot for a connection, whose lock is held while the connection is in use.
  private final class Place: Sendable {
    let connection: Mutex<UserConnection?>
    /// How often a thread has looked here for a connection that was not open.
    private let misses = Atomic(0)

    /// Records that no connection can be opened now.
    func openingFailed() { misses.store(0, ordering: .relaxed) }

    /// Whether the connection is not open, but often wanted.
    var mustOpen: Bool {
      guard connection.withLockIfAvailable({ $0 == nil }) == true else { return false }
      return misses.wrappingAdd(1, ordering: .relaxed).newValue > ConnectionPool.fewMisses
    }

    init(_ connection: UserConnection? = nil) {
      self.connection = Mutex(connection)
    }
  }

  private let places: [Place]
  private let keepsSnapshots: Bool
  private let open: @Sendable () throws(StoreError) -> UserConnection
  private let isClosed = Atomic(false)
  /// A count raised whenever older snapshots must serve no new read.
  private let generation = Atomic<UInt64>(0)
  private let isExpiryScheduled = Atomic(false)
  private let expiryQueue = DispatchQueue(label: "user-store.snapshots", qos: .utility)

  /// Creates a pool of at most `limit` connections made by `open`.
  init(
    limit: Int, keepsSnapshots: Bool, open: @escaping @Sendable () throws(StoreError) -> UserConnection
  ) {
    places = (0..<max(limit, 1)).map { _ in Place() }
    self.keepsSnapshots = keepsSnapshots
    self.open = open
  }

  /// Creates a pool of one connection: the writer's, which readers share when the database is in memory. `open`
  /// replaces the connection if it breaks.
  init(of connection: UserConnection, open: @escaping @Sendable () throws(StoreError) -> UserConnection) {
    places = [Place(connection)]
    keepsSnapshots = false
    self.open = open
  }

  /// Runs `body` on the calling thread with exclusive use of a connection.
  ///
  /// - Throws: `UserError.storage` for SQLite's failures, `.shuttingDown` after ``close()``.
  func withConnection<Value>(
    _ body: (UserConnection) throws(DatabaseError) -> Value
  ) throws(UserError) -> Value {
    let number = ThreadNumber.current
    let own = number < places.count ? number : number % places.count
    if let result = resultIfIdle(places[own], body) { return try result.get() }
    return try withOtherConnection(body, own: own)
  }

  /// Returns the result of `body` with the connection of `place`; nil if it is in use or not open.
  @inline(__always)
  private func resultIfIdle<Value>(
    _ place: Place, _ body: (UserConnection) throws(DatabaseError) -> Value
  ) -> Result<Value, UserError>? {
    // In a variable, because a lock returns only what can be sent to other threads.
    var result: Result<Value, UserError>?
    _ = place.connection.withLockIfAvailable { result = self.result(&$0, body) }
    return result
  }

  /// Returns the result of `body` with the connection in a place; nil if it is not open.
  @inline(__always)
  private func result<Value>(
    _ place: inout UserConnection?, _ body: (UserConnection) throws(DatabaseError) -> Value
  ) -> Result<Value, UserError>? {
    guard let connection = place else { return nil }
    let result = Result { () throws(UserError) in try use(connection, body) }
    if connection.isBroken { Self.discard(&place) }
    return result
  }

  /// Runs `body` with a connection of another thread, or one that is opened for this one.
  private func withOtherConnection<Value>(
    _ body: (UserConnection) throws(DatabaseError) -> Value, own: Int
  ) throws(UserError) -> Value {
    let mustOpen = places[own].mustOpen
    for offset in places.indices.dropFirst() where !mustOpen {
      if let result = resultIfIdle(places[(own + offset) % places.count], body) { return try result.get() }
    }
    var failure = UserError.shuttingDown
    var result: Result<Value, UserError>?
    places[own].connection.withLock { place in
      do throws(UserError) {
        if place == nil { place = try openAnother() }
      } catch {
        failure = error
        places[own].openingFailed()
      }
      result = self.result(&place, body)
    }
    if let result { return try result.get() }
    // The process cannot open another connection, but may have idle ones.
    for place in places {
      place.connection.withLock { result = self.result(&$0, body) }
      if let result { return try result.get() }
    }
    throw failure
  }

  private func use<Value>(
    _ connection: UserConnection, _ body: (UserConnection) throws(DatabaseError) -> Value
  ) throws(UserError) -> Value {
    if isClosed.load(ordering: .acquiring) { throw .shuttingDown }
    do {
      let generation = generation.load(ordering: .acquiring)
      if keepsSnapshots, connection.snapshotGeneration != generation {
        try connection.beginSnapshot(generation)
        scheduleExpiry()
      }
      return try body(connection)
    } catch {
      throw .storage(StorageFault(connection.explained(error)))
    }
  }

  /// Closes a broken connection.
  private static func discard(_ place: inout UserConnection?) {
    // Closing rolls back (sqlite.org/c3ref/close.html). The caller has the failure that broke the connection already.
    try? place.take()?.close()
  }

  private func openAnother() throws(UserError) -> UserConnection {
    if isClosed.load(ordering: .acquiring) { throw .shuttingDown }
    do {
      return try open()
    } catch {
      guard case .storage(_, let fault) = error else {
        throw .storage(StorageFault(kind: .inputOutput, resultCode: 0, message: error.description))
      }
      throw .storage(fault)
    }
  }

  /// Makes every later read see what is committed now.
  func invalidateSnapshots() {
    generation.wrappingAdd(1, ordering: .releasing)
  }

  /// Ends the stale snapshots of idle connections. Those of busy connections end at their next use, or in a later call.
  /// Returns whether any connection was busy.
  @discardableResult
  func endIdleSnapshots() -> Bool {
    guard keepsSnapshots else { return false }
    // Readers may begin new snapshots meanwhile; those stay open.
    let now = generation.load(ordering: .acquiring)
    var someAreInUse = false
    for place in places {
      let isIdle: Void? = place.connection.withLockIfAvailable { connection in
        if let open = connection, let snapshot = open.snapshotGeneration, snapshot < now {
          open.endSnapshot()
          if open.isBroken { Self.discard(&connection) }
        }
      }
      if isIdle == nil { someAreInUse = true }
    }
    return someAreInUse
  }

  /// Releases the page caches of connections that have not been used for a while, as far as calls of this method show.
  func releaseIdleMemory(now: ContinuousClock.Instant) {
    for place in places {
      // A busy connection is not idle.
      _ = place.connection.withLockIfAvailable { $0?.releaseMemoryIfIdle(now: now) }
    }
  }

  /// Closes the connections, busy ones as soon as they are idle. Later uses throw `.shuttingDown`.
  ///
  /// - Throws: the first failure to close, after all are closed.
  func close() throws {
    isClosed.store(true, ordering: .releasing)
    var failure: (any Error)?
    for place in places {
      do {
        try place.connection.withLock { try $0.take()?.close() }
      } catch {
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
  }

  private func scheduleExpiry() {
    guard !isExpiryScheduled.exchange(true, ordering: .acquiringAndReleasing) else { return }
    expiryQueue.asyncAfter(deadline: .now() + Self.snapshotLifetime) { [weak self] in
      guard let self else { return }
      // The order matters: a read at the new generation must schedule the next expiry.
      isExpiryScheduled.store(false, ordering: .releasing)
      invalidateSnapshots()
      // A running read may leave a stale snapshot.
      if endIdleSnapshots(), !isClosed.load(ordering: .acquiring) { scheduleExpiry() }
    }
  }
}
