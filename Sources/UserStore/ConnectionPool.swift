import Dispatch
import GRDB
import Synchronization
import UserDomain

/// Connections that threads take, use inline and give back: a lock and a pop.
///
/// Connections are opened when they are first needed, up to a limit. A thread that finds none waits until one is
/// given back, which takes as long as one short read. Nothing suspends while it has a connection.
final class ConnectionPool: Sendable {
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
  }

  private enum Turn {
    case use(UserConnection)
    case openAnother
    case wait(Waiter)
    case closed
  }

  private let state: Mutex<State>
  private let limit: Int
  private let open: @Sendable () throws(StoreError) -> UserConnection

  /// A pool of at most `limit` connections that `open` makes, with `first` already open.
  init(
    limit: Int, first: UserConnection? = nil,
    open: @escaping @Sendable () throws(StoreError) -> UserConnection
  ) {
    state = Mutex(State(idle: first.map { [$0] } ?? [], open: first == nil ? 0 : 1))
    self.limit = max(limit, 1)
    self.open = open
  }

  /// Runs `body` on the calling thread with a connection that nobody else uses meanwhile.
  ///
  /// - Throws: `UserError.storage` for SQLite's failures, `.shuttingDown` after ``close()``.
  func withConnection<Value>(
    _ body: (UserConnection) throws(DatabaseError) -> Value
  ) throws(UserError) -> Value {
    let connection = try take()
    defer { giveBack(connection) }
    do {
      return try body(connection)
    } catch {
      throw .storage(StorageFault(error))
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

  private func take() throws(UserError) -> UserConnection {
    let turn = state.withLock { state -> Turn in
      if let connection = state.idle.popLast() { return .use(connection) }
      if state.isClosed { return .closed }
      if state.open < limit {
        state.open += 1
        return .openAnother
      }
      let waiter = Waiter()
      state.waiters.append(waiter)
      return .wait(waiter)
    }
    switch turn {
    case .use(let connection): return connection
    case .closed: throw .shuttingDown
    case .openAnother: return try openAnother()
    case .wait(let waiter):
      waiter.semaphore.wait()
      // Woken without a connection: the pool was closed, or another thread failed to open one. Look again.
      guard let connection = waiter.connection.withLock({ $0.take() }) else { return try take() }
      return connection
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
      // Closing failed for a caller that is long gone; SQLite keeps the connection open until the process ends.
      try? connection.close()
    }
  }
}
