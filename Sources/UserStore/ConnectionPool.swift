import Dispatch
import GRDB
import Primitives
import Synchronization
import UserDomain

/// Connections that threads use inline, each its own as long as there are enough: what SQLite keeps in memory
/// for a connection then stays in one processor's cache.
///
/// A thread takes its own connection; if that is in use, or it has none, any that is open and not in use; and
/// if there is none waits for its own, which takes as long as one short read, or opens it. From a limit on,
/// threads share. Nothing suspends while it has a connection, nor asks for another.
///
/// Our own rather than GRDB's `DatabasePool`: there each read is a transaction of its own, and all threads share the
/// pool's lock.
///
/// A pool of readers keeps a connection's read transaction, its snapshot, open from one read to the next,
/// because beginning and ending one costs more than the read itself (two file locks). A snapshot serves only
/// reads that begin before the next commit of this process (``invalidateSnapshots()``), and is ended at the
/// latest ``snapshotLifetime`` after it began, so that commits of other processes are seen and the
/// write-ahead log can be reused.
final class ConnectionPool: Sendable {
  /// How late a read may see what another process has committed.
  static let snapshotLifetime = DispatchTimeInterval.milliseconds(5)

  /// A place for a connection, whose lock is held while the connection is in use.
  private final class Place: Sendable {
    let connection: Mutex<UserConnection?>

    init(_ connection: UserConnection? = nil) {
      self.connection = Mutex(connection)
    }
  }

  private let places: [Place]
  private let keepsSnapshots: Bool
  private let open: @Sendable () throws(StoreError) -> UserConnection
  private let isClosed = Atomic(false)
  /// Counts the moments after which older snapshots serve no new read.
  private let generation = Atomic<UInt64>(0)
  private let isExpiryScheduled = Atomic(false)
  private let expiryQueue = DispatchQueue(label: "user-store.snapshots", qos: .utility)

  /// A pool of at most `limit` connections that `open` makes.
  init(
    limit: Int, keepsSnapshots: Bool, open: @escaping @Sendable () throws(StoreError) -> UserConnection
  ) {
    places = (0..<max(limit, 1)).map { _ in Place() }
    self.keepsSnapshots = keepsSnapshots
    self.open = open
  }

  /// A pool of one connection, for the writer, and for readers too when the database is in memory. `open` makes
  /// another one if the first breaks.
  init(of connection: UserConnection, open: @escaping @Sendable () throws(StoreError) -> UserConnection) {
    places = [Place(connection)]
    keepsSnapshots = false
    self.open = open
  }

  /// Runs `body` on the calling thread with a connection that nobody else uses meanwhile.
  ///
  /// - Throws: `UserError.storage` for SQLite's failures, `.shuttingDown` after ``close()``.
  func withConnection<Value>(
    _ body: (UserConnection) throws(DatabaseError) -> Value
  ) throws(UserError) -> Value {
    let own = ThreadNumber.current % places.count
    var result: Result<Value, UserError>?
    func use(_ place: inout UserConnection?) {
      guard let connection = place else { return }
      result = Result { () throws(UserError) in try self.use(connection, body) }
      Self.discardIfBroken(&place)
    }
    for offset in places.indices {
      _ = places[(own + offset) % places.count].connection.withLockIfAvailable { use(&$0) }
      if let result { return try result.get() }
    }
    var failure = UserError.shuttingDown
    places[own].connection.withLock { place in
      do throws(UserError) {
        if place == nil { place = try openAnother() }
      } catch {
        failure = error
      }
      use(&place)
    }
    if let result { return try result.get() }
    // The process has no room for another connection, but may have some.
    for place in places {
      place.connection.withLock { use(&$0) }
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

  private static func discardIfBroken(_ place: inout UserConnection?) {
    guard let connection = place, connection.isBroken else { return }
    place = nil
    // Closing rolls back (sqlite.org/c3ref/close.html). The caller has the failure that broke the connection.
    try? connection.close()
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

  /// Every read that begins after this sees what is committed now.
  func invalidateSnapshots() {
    generation.wrappingAdd(1, ordering: .releasing)
  }

  /// Ends the snapshots of idle connections that serve no new read any more. Those of connections in use are
  /// ended when they are used again, or by a later call. Returns whether there were any in use.
  @discardableResult
  func endIdleSnapshots() -> Bool {
    guard keepsSnapshots else { return false }
    // Readers may begin new snapshots meanwhile; this does not end them.
    let now = generation.load(ordering: .acquiring)
    var someAreInUse = false
    for place in places {
      let isIdle: Void? = place.connection.withLockIfAvailable { connection in
        if let open = connection, let snapshot = open.snapshotGeneration, snapshot < now {
          open.endSnapshot()
          Self.discardIfBroken(&connection)
        }
      }
      if isIdle == nil { someAreInUse = true }
    }
    return someAreInUse
  }

  /// Closes the connections, those in use as soon as they are not; later uses throw `.shuttingDown`.
  ///
  /// - Throws: the first failure to close one, once all are closed.
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
      // In this order: who reads at the new generation has to schedule the next expiry.
      isExpiryScheduled.store(false, ordering: .releasing)
      invalidateSnapshots()
      // A read that is under way may leave a snapshot that is due.
      if endIdleSnapshots(), !isClosed.load(ordering: .acquiring) { scheduleExpiry() }
    }
  }
}
