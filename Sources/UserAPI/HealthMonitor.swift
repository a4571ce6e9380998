import Synchronization

/// Whether the server's services can serve: they can while the database answers and the server is not
/// draining.
public final class HealthMonitor: Sendable {
  /// What a watch is told.
  enum WatchedState: Equatable {
    case serves(Bool)
    /// The server drains, and the watch has ended.
    case drained
  }

  private struct State {
    var isServing: Bool
    var isDraining = false
    var watchers: [UInt64: @Sendable (WatchedState) -> Void] = [:]
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

  /// Whether `service` is the name of one of the services, or the empty one.
  func speaks(for service: String) -> Bool { service.isEmpty || services.contains(service) }

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
        for tell in state.watchers.values { tell(.serves(isServing)) }
      }
      return isServing
    }
  }

  /// The first step of a shutdown: nothing serves from now on, and every watch ends after it has said so.
  public func drain() {
    state.withLock { state in
      state.isDraining = true
      state.isServing = false
      for tell in state.watchers.values {
        tell(.serves(false))
        tell(.drained)
      }
      state.watchers = [:]
    }
  }

  /// Has `tell` told whether the services serve, now and after each change, until the server drains. It is called on
  /// any thread, under a lock: it must neither block nor call the monitor.
  ///
  /// Returns what ``forget(_:)`` takes; nil if the watch has ended already.
  func watch(_ tell: @escaping @Sendable (WatchedState) -> Void) -> UInt64? {
    state.withLock { state in
      tell(.serves(state.isServing))
      if state.isDraining {
        tell(.drained)
        return nil
      }
      state.nextID += 1
      state.watchers[state.nextID] = tell
      return state.nextID
    }
  }

  /// Ends a watch. Returns false if it had ended.
  @discardableResult
  func forget(_ watch: UInt64) -> Bool {
    state.withLock { $0.watchers.removeValue(forKey: watch) != nil }
  }

  /// Whether the services serve, now and after each change, until the server drains. Only the newest value
  /// waits for a slow reader. The watch is forgotten when its reader goes.
  func watch() -> AsyncStream<Bool> {
    let (stream, continuation) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(1))
    let watch = watch { state in
      switch state {
      case .serves(let isServing): continuation.yield(isServing)
      case .drained:
        // Under the lock, which forgetting takes.
        continuation.onTermination = nil
        continuation.finish()
      }
    }
    if let watch {
      continuation.onTermination = { [weak self] _ in self?.forget(watch) }
    }
    return stream
  }

  /// How many watches are open.
  var watcherCount: Int { state.withLock { $0.watchers.count } }
}
