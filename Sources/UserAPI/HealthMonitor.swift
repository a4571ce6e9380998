import Synchronization

/// Whether the server's services can serve: they can while the database answers and the server is not
/// draining.
public final class HealthMonitor: Sendable {
  private struct State {
    var isServing: Bool
    var isDraining = false
    var watchers: [UInt64: AsyncStream<Bool>.Continuation] = [:]
    var nextID: UInt64 = 0
  }

  /// The names of the services that the monitor speaks for, without the empty one for the whole server.
  public let services: [String]
  private let probe: @Sendable () -> Bool
  private let state: Mutex<State>

  /// A monitor for `services`. `probe` asks the database, in microseconds, and is called from any thread.
  public init(services: [String], probe: @escaping @Sendable () -> Bool) {
    self.services = services
    self.probe = probe
    state = Mutex(State(isServing: probe()))
  }

  /// Whether the server is shutting down.
  public var isDraining: Bool { state.withLock { $0.isDraining } }

  /// Asks the database, tells watchers of a change, and returns whether the services serve.
  @discardableResult
  public func refresh() -> Bool {
    let answers = probe()
    return state.withLock { state in
      let isServing = answers && !state.isDraining
      if isServing != state.isServing {
        state.isServing = isServing
        for watcher in state.watchers.values { watcher.yield(isServing) }
      }
      return isServing
    }
  }

  /// The first step of a shutdown: nothing serves from now on, and every watch ends after it has said so.
  public func drain() {
    let watchers = state.withLock { state in
      state.isDraining = true
      state.isServing = false
      defer { state.watchers = [:] }
      return state.watchers.values
    }
    for watcher in watchers {
      watcher.yield(false)
      watcher.finish()
    }
  }

  /// Whether the services serve, now and after each change, until the server drains. Only the newest value
  /// waits for a slow reader. The watch is forgotten when its reader goes.
  func watch() -> AsyncStream<Bool> {
    let (stream, continuation) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(1))
    let id = state.withLock { state -> UInt64? in
      continuation.yield(state.isServing)
      if state.isDraining {
        continuation.finish()
        return nil
      }
      state.nextID += 1
      state.watchers[state.nextID] = continuation
      return state.nextID
    }
    if let id {
      continuation.onTermination = { [weak self] _ in
        self?.state.withLock { $0.watchers[id] = nil }
      }
    }
    return stream
  }

  /// How many watches are open.
  var watcherCount: Int { state.withLock { $0.watchers.count } }
}
