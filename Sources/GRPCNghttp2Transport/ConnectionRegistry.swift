import NIOCore
import Synchronization

/// The open connections of a transport, from their acceptance to the end of their last handler.
///
/// `ConnectionHandler` is not Sendable: the registry only carries it to its own event loop, in a
/// `NIOLoopBound`.
final class ConnectionRegistry: Sendable {
  private struct State {
    var connections: [ObjectIdentifier: NIOLoopBound<ConnectionHandler>] = [:]
    var isShuttingDown = false
    var waiters: [CheckedContinuation<Void, Never>] = []

    mutating func takeWaitersIfDone() -> [CheckedContinuation<Void, Never>] {
      guard isShuttingDown, connections.isEmpty else { return [] }
      defer { waiters = [] }
      return waiters
    }
  }

  private let state = Mutex(State())
  private let limit: Int

  init(limit: Int) {
    self.limit = limit
  }

  var isShuttingDown: Bool { state.withLock { $0.isShuttingDown } }

  var count: Int { state.withLock { $0.connections.count } }

  /// Returns whether there is room for the connection. On its event loop.
  func add(_ handler: ConnectionHandler, on loop: any EventLoop) -> Bool {
    let bound = NIOLoopBound(handler, eventLoop: loop)
    let id = ObjectIdentifier(handler)
    return state.withLock { state in
      guard state.connections.count < limit, !state.isShuttingDown else { return false }
      state.connections[id] = bound
      return true
    }
  }

  func remove(_ handler: ConnectionHandler) {
    let id = ObjectIdentifier(handler)
    let waiters = state.withLock { state in
      state.connections[id] = nil
      return state.takeWaitersIfDone()
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Has every connection let its calls finish.
  func shutDown() {
    shutDown(with: { $0.shutDown() })
  }

  /// Closes every connection.
  func abort() {
    shutDown(with: { $0.abort() })
  }

  private func shutDown(with body: @escaping @Sendable (ConnectionHandler) -> Void) {
    let (connections, waiters) = state.withLock { state in
      state.isShuttingDown = true
      return (Array(state.connections.values), state.takeWaitersIfDone())
    }
    for waiter in waiters { waiter.resume() }
    for connection in connections {
      connection.eventLoop.execute { body(connection.value) }
    }
  }

  /// Returns when the transport is shutting down and its last connection has ended.
  func ended() async {
    await withCheckedContinuation { continuation in
      let waiters = state.withLock { state in
        state.waiters.append(continuation)
        return state.takeWaitersIfDone()
      }
      for waiter in waiters { waiter.resume() }
    }
  }
}
