import Logging
import NIOCore
import Synchronization

/// The connections of a transport, from acceptance until their last handler has ended.
///
/// `ConnectionHandler` is not Sendable, so the registry stores it in a `NIOLoopBound` and uses it only on its event
/// loop.
final class ConnectionRegistry: Sendable {
  private struct State {
    var table: ConnectionTable<NIOLoopBound<ConnectionHandler>>
    var waiters: [CheckedContinuation<Void, Never>] = []

    mutating func takeWaitersIfDone() -> [CheckedContinuation<Void, Never>] {
      guard table.isShuttingDown, table.count == 0 else { return [] }
      defer { waiters = [] }
      return waiters
    }
  }

  private let state: Mutex<State>
  private let refusedConnections = Atomic<UInt64>(0)
  private let refusalLog: ThrottledLog
  private let replacementLog: ThrottledLog

  /// - Parameter loop: schedules log lines, at most one of each kind a second.
  init(_ configuration: HTTP2Configuration, logger: Logger, loop: any EventLoop) {
    state = Mutex(State(table: ConnectionTable(configuration.connectionLimits)))
    refusalLog = ThrottledLog(
      "connections refused", level: .warning, every: .seconds(1), logger: logger, loop: loop)
    replacementLog = ThrottledLog(
      "idle connections ended to make room", level: .info, every: .seconds(1), logger: logger, loop: loop)
  }

  var isShuttingDown: Bool { state.withLock { $0.table.isShuttingDown } }

  var count: Int { state.withLock { $0.table.count } }

  /// The number of connections refused because of the limits since the start.
  var refusedCount: UInt64 { refusedConnections.load(ordering: .relaxed) }

  /// Registers a connection on its event loop. Returns false if it is refused.
  func add(_ handler: ConnectionHandler, for channel: any Channel) -> Bool {
    let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
    let network = ClientNetwork(channel.remoteAddress)
    let (id, idleTime, now) = (ObjectIdentifier(handler), handler.idleTime, channel.eventLoop.now)
    let decision = state.withLock { state in
      state.table.arrived(id, bound, network, idleTime, now: now)
    }
    switch decision {
    case .admit: return true
    case .replace(let id, let other):
      replacementLog.note()
      other.eventLoop.execute {
        if !other.value.makeRoom() { self.state.withLock { $0.table.stays(id) } }
      }
      return true
    case .refuse(let reason):
      refused(reason, channel)
      return false
    }
  }

  private func refused(_ reason: ConnectionRefusal, _ channel: any Channel) {
    let words: String
    switch reason {
    case .shuttingDown: return
    case .full: words = "the connection limit is reached, and every connection has calls"
    case .networkFull:
      words = "the connection limit of the network is reached, and every connection has calls"
    }
    refusedConnections.add(1, ordering: .relaxed)
    refusalLog.note([
      "reason": "\(words)", "peer": "\(ConnectionPeer.describe(channel.remoteAddress))",
    ])
  }

  func remove(_ handler: ConnectionHandler) {
    let id = ObjectIdentifier(handler)
    let waiters = state.withLock { state in
      state.table.ended(id)
      return state.takeWaitersIfDone()
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Lets the calls of every connection finish.
  func shutDown() {
    shutDown(with: { $0.shutDown() })
  }

  /// Closes every connection.
  func abort() {
    shutDown(with: { $0.abort() })
  }

  private func shutDown(with body: @escaping @Sendable (ConnectionHandler) -> Void) {
    let (connections, waiters) = state.withLock { state in
      state.table.shutDown()
      return (state.table.connections, state.takeWaitersIfDone())
    }
    for waiter in waiters { waiter.resume() }
    for connection in connections {
      connection.eventLoop.execute { body(connection.value) }
    }
    refusalLog.flush()
    replacementLog.flush()
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
