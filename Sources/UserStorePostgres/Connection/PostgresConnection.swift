import CLibpq
import NIOCore
import Synchronization
import UserDomain

/// A connection that comes back: on one event loop, without blocking it, in pipeline mode.
///
/// Reads that are begun in one turn of the event loop leave in one packet and share a synchronisation point. If one of them
/// fails, the server skips those after it, which are sent again. When the connection ends, everything that waits fails, and
/// another one is made; until then every call fails at once.
actor PostgresConnection {
  /// The time limits of a connection.
  struct Limits: Sendable {
    /// How long results may stay out before the connection counts as lost.
    var answer: Duration = .seconds(10)
    /// The statements that may wait for their results.
    var waiting = 16_384
    /// The pause before another attempt to connect, at first and at most.
    var firstPause: Duration = .milliseconds(50)
    var longestPause: Duration = .seconds(1)
  }

  typealias Outcome = Result<QueryResult, PostgresFailure>

  enum Request {
    case read(UInt64, Command)
    case part(Batch)
  }

  /// Commands that belong together, and the task that waits for all of them.
  final class Batch {
    fileprivate var results: [QueryResult] = []
    fileprivate var failure: PostgresFailure?
    fileprivate var remaining: Int
    fileprivate let continuation: CheckedContinuation<Result<[QueryResult], PostgresFailure>, Never>

    fileprivate init(
      _ count: Int, _ continuation: CheckedContinuation<Result<[QueryResult], PostgresFailure>, Never>
    ) {
      remaining = count
      self.continuation = continuation
      results.reserveCapacity(count)
    }
  }

  private enum Life {
    case connecting
    case open(LibpqHandle, SocketWatch.Registration)
    /// Not connected, for this reason. Another attempt follows, unless it is the end.
    case closed(PostgresFailure, isEnd: Bool)
  }

  nonisolated let eventLoop: any EventLoop
  private let limits: Limits
  private let open: @Sendable () async -> Result<LibpqHandle, PostgresFailure>
  private var life = Life.connecting
  private var pipeline = PipelineState<Request>()
  private var waiting: [UInt64: CheckedContinuation<Outcome, Never>] = [:]
  /// Reads that were begun before the connection was open.
  private var early: [(UInt64, Command)] = []
  /// Reads that the server has skipped, to be sent again.
  private var skipped: [(UInt64, Command)] = []
  /// Why the last connection or attempt has ended; nil before the first, and while it is open.
  private var lastFailure: PostgresFailure?
  nonisolated private let nextID = Atomic<UInt64>(0)
  private var isFlushScheduled = false
  private var hasOutput = false
  /// Whether it looks at its socket by itself, in a moment.
  private var isResting = false
  private var lastProgress = NIODeadline.now()
  private var pause: Duration
  private var check: RepeatedTask?
  private var connected: [CheckedContinuation<PostgresFailure?, Never>] = []

  nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  /// - Parameter open: makes a connection, and may take its time.
  init(
    on eventLoop: any EventLoop, limits: Limits = Limits(),
    open: @escaping @Sendable () async -> Result<LibpqHandle, PostgresFailure>
  ) {
    self.eventLoop = eventLoop
    self.limits = limits
    self.open = open
    pause = limits.firstPause
  }

  /// Makes the first attempt to connect. Returns why it failed, or nil.
  func start() async -> PostgresFailure? {
    check = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [weak self] _ in
      self?.assumeIsolated { $0.checkProgress() }
    }
    connect()
    return await connectionFailure()
  }

  /// Returns why it is not connected, after an attempt that is under way; nil if it is.
  func connectionFailure() async -> PostgresFailure? {
    switch life {
    case .open: nil
    case .closed(let failure, _): failure
    case .connecting: await withCheckedContinuation { connected.append($0) }
    }
  }

  /// Closes the connection for good. What waits fails.
  func end() {
    close(.lost("closed"), isEnd: true)
    check?.cancel()
    check = nil
  }

  // MARK: Requests

  /// Executes a statement by itself, in a packet with others that are begun now.
  ///
  /// - Throws: the failure of the statement or the connection; `.cancelled` if the task is cancelled while it waits.
  nonisolated func read(_ command: Command) async throws(PostgresFailure) -> QueryResult {
    // A call on this event loop is where this actor is: to change to it and back would take a tenth of its time.
    let outcome = eventLoop.inEventLoop ? await readHere(command) : await readThere(command)
    return try outcome.get()
  }

  nonisolated private func readHere(_ command: Command) async -> Outcome {
    let id = nextID.wrappingAdd(1, ordering: .relaxed).newValue
    return await withTaskCancellationHandler {
      await withCheckedContinuation { waiter in assumeIsolated { $0.begin(id, command, waiter) } }
    } onCancel: {
      // Runs after `begin`, which this event loop has not left yet.
      Task { await self.cancel(id) }
    }
  }

  private func readThere(_ command: Command) async -> Outcome {
    let id = nextID.wrappingAdd(1, ordering: .relaxed).newValue
    return await withTaskCancellationHandler {
      await withCheckedContinuation { begin(id, command, $0) }
    } onCancel: {
      // Runs after `begin`, which this actor has not left yet.
      Task { await self.cancel(id) }
    }
  }

  /// Executes statements in one round trip, and returns their results.
  ///
  /// - Throws: the first failure; the server has executed what came before it, in a transaction that may be open.
  func run(_ commands: [Command]) async throws(PostgresFailure) -> [QueryResult] {
    guard case .open = life else { throw closedFailure }
    if commands.isEmpty { return [] }
    let outcome = await withCheckedContinuation { continuation in
      let batch = Batch(commands.count, continuation)
      synchroniseReads()
      for command in commands { send(.part(batch), command) }
      flush()
    }
    return try outcome.get()
  }

  private var closedFailure: PostgresFailure { lastFailure ?? .lost("connecting") }

  private func begin(_ id: UInt64, _ command: Command, _ waiter: CheckedContinuation<Outcome, Never>) {
    guard max(waiting.count, pipeline.count) < limits.waiting else {
      return waiter.resume(returning: .failure(.overloaded))
    }
    switch life {
    case .closed(let failure, _): return waiter.resume(returning: .failure(failure))
    case .connecting:
      // Only the first attempt is waited for.
      if let lastFailure { return waiter.resume(returning: .failure(lastFailure)) }
      early.append((id, command))
    case .open: break
    }
    waiting[id] = waiter
    if case .open = life { send(.read(id, command), command) }
  }

  private func cancel(_ id: UInt64) {
    // Its result will come, and be dropped.
    waiting.removeValue(forKey: id)?.resume(returning: .failure(.cancelled))
  }

  private func send(_ request: Request, _ command: Command) {
    guard case .open(let handle, _) = life else { return fail(request, closedFailure) }
    if !pipeline.isWaiting { lastProgress = .now() }
    guard handle.send(command) else {
      fail(request, .lost(handle.message))
      return close(.lost(handle.message))
    }
    pipeline.sent(request)
    scheduleFlush()
  }

  private func scheduleFlush() {
    guard !isFlushScheduled else { return }
    isFlushScheduled = true
    eventLoop.execute { self.assumeIsolated { $0.flush() } }
  }

  private func synchroniseReads() {
    guard pipeline.unsynchronised > 0, case .open(let handle, _) = life else { return }
    guard handle.synchronise() else { return close(.lost(handle.message)) }
    pipeline.sentSynchronisation()
  }

  /// Sends what was begun in this turn.
  private func flush() {
    isFlushScheduled = false
    synchroniseReads()
    sendOutput()
  }

  private func sendOutput() {
    guard case .open(let handle, let registration) = life else { return }
    guard let remains = handle.flush() else { return close(.lost(handle.message)) }
    if remains != hasOutput {
      hasOutput = remains
      SocketWatch.shared.arm(registration, for: remains ? [.read, .write] : .read)
    }
  }

  // MARK: Results

  private func socketIsReady() {
    guard case .open(let handle, let registration) = life else { return }
    lastProgress = .now()
    var taken = 0
    // A record of TLS that does not fit into libpq's buffer is read in two parts, of which the socket shows the first.
    for _ in 0..<(handle.isEncrypted ? 2 : 1) {
      let isOpen = handle.readInput()
      taken += takeResults(handle)
      guard case .open = life else { return }
      guard isOpen else { return close(.lost(handle.message)) }
    }
    sendOutput()
    guard case .open = life else { return }
    if taken == 0, pipeline.isWaiting, !hasOutput, !isResting {
      rest()
    } else {
      isResting = false
      SocketWatch.shared.arm(registration, for: hasOutput ? [.read, .write] : .read)
    }
  }

  /// Looks again a moment later. The server sends a long result in pieces of 8 KiB, and being told of each would cost more
  /// than reading it.
  private func rest() {
    isResting = true
    eventLoop.scheduleTask(in: Self.restingTime) { [weak self] in
      self?.assumeIsolated { $0.socketIsReady() }
    }
  }

  private static let restingTime = TimeAmount.microseconds(200)

  /// Takes the results that have arrived. Returns their number.
  private func takeResults(_ handle: LibpqHandle) -> Int {
    var count = 0
    while pipeline.isWaiting, !handle.isBusy {
      let result = handle.nextResult()
      // Before any result that follows it is taken for what it seems to be.
      if let warning = handle.warning {
        close(.lost(warning))
        return count
      }
      take(result)
      count += 1
      guard case .open = life else { return count }
    }
    return count
  }

  private func take(_ result: QueryResult?) {
    switch pipeline.received(PipelineState<Request>.Received(result)) {
    case .nothing: break
    case .synchronised:
      // Not earlier: libpq would take a request that is sent between the results of skipped ones for one of them.
      let commands = skipped
      skipped = []
      for (id, command) in commands where waiting[id] != nil { send(.read(id, command), command) }
    case .violation: close(.lost("the server has sent an unexpected result"))
    case .succeeded(let request): succeed(request, result)
    case .failed(let request):
      let failure = result?.failure ?? .lost("no result")
      fail(request, failure)
      if failure.origin == .connection { close(failure) }
      // What waits behind it would wait for the same lock, one after another.
      if case .read = request, failure.isLocked { close(failure) }
    case .skipped(.read(let id, let command)): skipped.append((id, command))
    case .skipped(.part(let batch)): finishPart(of: batch)
    }
  }

  private func succeed(_ request: Request, _ result: QueryResult?) {
    guard let result else { return }
    switch request {
    case .read(let id, _): waiting.removeValue(forKey: id)?.resume(returning: .success(result))
    case .part(let batch):
      batch.results.append(result)
      finishPart(of: batch)
    }
  }

  private func fail(_ request: Request, _ failure: PostgresFailure) {
    switch request {
    case .read(let id, _): waiting.removeValue(forKey: id)?.resume(returning: .failure(failure))
    case .part(let batch):
      batch.failure = batch.failure ?? failure
      finishPart(of: batch)
    }
  }

  private func finishPart(of batch: Batch) {
    batch.remaining -= 1
    guard batch.remaining == 0 else { return }
    batch.continuation.resume(returning: batch.failure.map { .failure($0) } ?? .success(batch.results))
  }

  // MARK: Life

  private func connect() {
    life = .connecting
    Task {
      let outcome = await open()
      switch outcome {
      case .success(let handle): opened(handle)
      case .failure(let failure): close(failure)
      }
    }
  }

  /// How often it was opened: once, and again after each loss.
  private(set) var openings = 0

  private func opened(_ handle: LibpqHandle) {
    guard case .connecting = life else { return }
    openings += 1
    let registration = SocketWatch.shared.add(handle.socket) { [weak self] in
      guard let self else { return }
      eventLoop.execute { self.assumeIsolated { $0.socketIsReady() } }
    }
    life = .open(handle, registration)
    lastFailure = nil
    (hasOutput, isResting, lastProgress, pause) = (false, false, .now(), limits.firstPause)
    resumeConnected(nil)
    let commands = early
    early = []
    for (id, command) in commands where waiting[id] != nil { send(.read(id, command), command) }
  }

  private func resumeConnected(_ failure: PostgresFailure?) {
    for waiter in connected { waiter.resume(returning: failure) }
    connected = []
  }

  /// Fails everything that waits, and connects again after a pause unless it is the end.
  private func close(_ failure: PostgresFailure, isEnd: Bool = false) {
    if case .closed(_, let wasEnd) = life, wasEnd || !isEnd { return }
    if case .open(_, let registration) = life { SocketWatch.shared.remove(registration) }
    life = .closed(failure, isEnd: isEnd)
    lastFailure = failure
    (early, skipped) = ([], [])
    for request in pipeline.ended() { fail(request, failure) }
    for waiter in waiting.values { waiter.resume(returning: .failure(failure)) }
    waiting = [:]
    resumeConnected(failure)
    if isEnd { return }
    eventLoop.scheduleTask(in: TimeAmount(pause)) { [weak self] in
      self?.assumeIsolated { connection in
        if case .closed(_, isEnd: false) = connection.life { connection.connect() }
      }
    }
    pause = min(pause * 2, limits.longestPause)
  }

  /// Closes a connection whose server has been silent for too long: behind a firewall that drops packets, nothing else
  /// tells.
  private func checkProgress() {
    guard case .open = life, pipeline.isWaiting else { return }
    if NIODeadline.now() - lastProgress > TimeAmount(limits.answer) {
      close(.lost("the server has not answered for \(limits.answer)"))
    }
  }
}

extension PipelineState.Received {
  fileprivate init(_ result: QueryResult?) {
    guard let result else {
      self = .endOfRequest
      return
    }
    self =
      switch result.status {
      case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: .success
      case PGRES_FATAL_ERROR: .failure
      case PGRES_PIPELINE_ABORTED: .skipped
      case PGRES_PIPELINE_SYNC: .synchronised
      default: .other
      }
  }
}
