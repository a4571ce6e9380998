import Synchronization

/// Whether the server's services can serve: they do while the database responds and the server is not draining.
public final class HealthMonitor: Sendable {
  /// The state that a watch receives.
  enum WatchedState: Equatable {
    case serves(Bool)
    /// The server is draining, and the watch has ended.
    case drained
  }

  private struct State {
    var isServing: Bool
    /// The number of probes begun.
    var begun: UInt64 = 0
    /// The number of the latest probe whose outcome is known.
    var known: UInt64 = 0
    var isDraining = false
    var watchers: [UInt64: @Sendable (WatchedState) -> Void] = [:]
    var nextID: UInt64 = 0
  }

  /// The names of the monitored services, without the empty name of the whole server.
  public let services: [String]
  private let probe: @Sendable () async -> Bool
  private let state: Mutex<State>

  /// Creates a monitor of `services`, and probes the database. `probe` checks it on any thread; several probes may run at
  /// once.
  public init(services: [String], probe: @escaping @Sendable () async -> Bool) async {
    self.services = services
    self.probe = probe
    state = Mutex(State(isServing: await probe()))
  }

  /// Returns whether `service` names one of the services, or is empty.
  func speaks(for service: String) -> Bool { service.isEmpty || services.contains(service) }

  /// Whether the server is shutting down.
  public var isDraining: Bool { state.withLock { $0.isDraining } }

  /// Probes the database, notifies watchers of a change, and returns whether the services serve.
  ///
  /// Nothing changes by a probe that began before another one whose outcome is known, or whose task was cancelled: it says
  /// nothing of the database.
  @discardableResult
  public func refresh() async -> Bool {
    let number = state.withLock { state in
      state.begun += 1
      return state.begun
    }
    let answers = await probe()
    let isCancelled = Task.isCancelled
    return state.withLock { state in
      guard number > state.known, !isCancelled else { return state.isServing }
      state.known = number
      let isServing = answers && !state.isDraining
      if isServing != state.isServing {
        state.isServing = isServing
        for tell in state.watchers.values { tell(.serves(isServing)) }
      }
      return isServing
    }
  }

  /// Begins a shutdown: no service serves any more, and every watch ends after saying so.
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

  /// Calls `tell` with the state now and after each change, until the server drains. The calls come from any thread,
  /// under a lock: `tell` must neither block nor call the monitor.
  ///
  /// Returns the watch for ``forget(_:)``; nil if the watch has already ended.
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

  /// Ends a watch. Returns false if it had already ended.
  @discardableResult
  func forget(_ watch: UInt64) -> Bool {
    state.withLock { $0.watchers.removeValue(forKey: watch) != nil }
  }

  /// Streams whether the services serve, now and after each change, until the server drains. A slow reader gets only
  /// the newest value. The watch ends when its reader does.
  func watch() -> AsyncStream<Bool> {
    let (stream, continuation) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(1))
    let watch = watch { state in
      switch state {
      case .serves(let isServing): continuation.yield(isServing)
      case .drained:
        // Cleared because it would take the lock that is held here.
        continuation.onTermination = nil
        continuation.finish()
      }
    }
    if let watch {
      continuation.onTermination = { [weak self] _ in self?.forget(watch) }
    }
    return stream
  }

  /// The number of open watches.
  var watcherCount: Int { state.withLock { $0.watchers.count } }
}
