import GRPCCore
import NIOCore
import Synchronization

/// A call that a task or a method processes: its task, and the continuations that wait for the client.
///
/// `@unchecked Sendable`: `id`, `connection` and `context` are constant; everything else is used only on the
/// connection's event loop. Handlers may run anywhere; ``nextPart()`` and ``write(_:)`` switch to the loop.
final class Call: @unchecked Sendable {
  typealias Part = RPCRequestPart<MessageBytes>
  typealias Reader = CheckedContinuation<Part?, any Error>
  typealias Writer = CheckedContinuation<Void, any Error>

  let id: Int32
  let connection: Connection
  let context: CallContext

  private var task: Task<Void, Never>?
  private(set) var hasTask = false
  private var isCancelled = false
  private var cancellation: ServerContext.RPCCancellationHandle?
  private var reader: (continuation: Reader, wait: Wait)?
  private var writers: [(continuation: Writer, wait: Wait)] = []
  /// The receiver of the request's messages; nil while a task uses it, and after the end.
  var requests: (any InlineRequests)?
  /// Called when a call of an ``InlineStream`` ends before its status.
  var whenCancelled: (@Sendable () -> Void)?

  init(_ id: Int32, connection: Connection, context: CallContext) {
    self.id = id
    self.connection = connection
    self.context = context
  }

  private var executor: EventLoopTaskExecutor { connection.resources.executor }

  /// The handle with which a streaming method answers the call.
  var responses: InlineStream.Responses {
    InlineStream.Responses { [self] step in
      // Scheduled, so that it runs after earlier work of the loop and outside the caller's locks.
      executor.loop.execute { self.respond(step) }
    }
  }

  private func respond(_ step: InlineStream.Responses.Step) {
    switch step {
    case .send(let message): connection.event { $0.send(id, message) }
    case .end(let error):
      guard connection.event({ $0.isUnanswered(id) }) else { return }
      whenCancelled = nil
      connection.event { $0.conclude(id, error) }
    case .wake: takeWaitingWork()
    }
  }

  // MARK: The task

  /// Starts a task. `body` runs immediately until it first suspends. At its end it must call
  /// ``Connection/taskEnded(_:)`` or ``Connection/takerEnded(_:hasConcluded:)``.
  private func startTask(_ body: @escaping @Sendable (Call) async -> Void) {
    hasTask = true
    executor.fairShare.beginSlice()
    let task = Task.immediate(executorPreference: executor) { [self] in await body(self) }
    // The task may have ended already, and another may have started.
    if hasTask, self.task == nil { self.task = task }
    if isCancelled { task.cancel() }
  }

  private func taskEnded() {
    hasTask = false
    task = nil
    cancellation = nil
  }

  /// Starts the handler of `descriptor`.
  func startHandler(_ descriptor: MethodDescriptor) {
    startTask { call in
      await withServerContextRPCCancellationHandle { handle in await call.handle(descriptor, handle) }
      call.executor.run {
        call.taskEnded()
        call.connection.taskEnded(call)
      }
    }
  }

  private func handle(_ descriptor: MethodDescriptor, _ handle: ServerContext.RPCCancellationHandle) async {
    cancellation = handle
    var context = ServerContext(
      descriptor: descriptor, remotePeer: connection.peer.remote, localPeer: connection.peer.local,
      cancellation: handle)
    context.transportSpecific = self.context
    await connection.streamHandler(
      RPCStream(
        descriptor: descriptor, inbound: RPCAsyncSequence(wrapping: RequestParts(call: self)),
        outbound: RPCWriter.Closable(wrapping: ResponseWriter(call: self))), context)
  }

  /// Starts a task that computes the response of an inline method.
  func startLater(_ response: @escaping InlineCall.LaterResponse) {
    startTask { call in
      let result = await response(call.context)
      call.executor.run {
        call.connection.event { $0.respond(call.id, result) }
        call.taskEnded()
        call.connection.taskEnded(call)
      }
    }
  }

  /// Cancels the call, which has ended before its status.
  func cancel() {
    isCancelled = true
    whenCancelled?()
    whenCancelled = nil
    if var requests = exchange(&requests, with: nil) { requests.callEnded() }
    guard hasTask else { return }
    task?.cancel()
    cancellation?.cancel()
  }

  /// Fails everything that waits: the stream is closed.
  func closed() {
    whenCancelled = nil
    isCancelled = true
    resumeReader(.callEnded)
    for writer in exchange(&writers, with: []) { writer.continuation.resume(throwing: CancellationError()) }
  }

  // MARK: Messages taken by a method

  /// Starts a task that takes the available messages.
  func startTaker() {
    startTask { call in
      guard var requests = call.requests.take() else { return call.takerEnded(nil, hasConcluded: true) }
      let hasConcluded = await call.takeParts(with: &requests)
      call.executor.run { [requests] in call.takerEnded(requests, hasConcluded: hasConcluded) }
    }
  }

  private func takerEnded(_ requests: (any InlineRequests)?, hasConcluded: Bool) {
    taskEnded()
    guard connection.takerEnded(self, hasConcluded: hasConcluded) else {
      if !hasConcluded, var requests { requests.callEnded() }
      return
    }
    self.requests = requests
    takeWaitingWork()
  }

  /// Starts a task for work that waits. A running task looks for itself when it ends.
  private func takeWaitingWork() {
    guard requests?.hasWaitingWork ?? false else { return }
    connection.event { $0.workIsWaiting(id) }
  }

  /// Takes the available messages. Returns whether `requests` has ended the call.
  private func takeParts(with requests: inout any InlineRequests) async -> Bool {
    var next = connection.event { $0.takeNext(id) }
    while true {
      var step = InlineStep.next
      var isLast = false
      switch next {
      case nil:
        guard requests.hasWaitingWork, connection.event({ $0.isOpen(id) }) else { return false }
        step = await requests.work()
      case .part(.message(let message)):
        // No `??`, whose right side may not suspend.
        if let now = requests.receive(message) { step = now } else { step = await requests.work() }
      case .part(.metadata): break
      case .end:
        step = await requests.requestEnded(nil)
        isLast = true
      case .failure(let error):
        step = await requests.requestEnded(error)
        isLast = true
      case .callEnded: return false
      }
      await executor.comeBack()
      // A step takes effect before others get the loop, so that what the method has decided is what the client sees.
      let mustYield = executor.fairShare.hasUsedSlice
      let outcome: ConnectionCore.StepOutcome
      (outcome, next) = connection.event { core in
        let outcome = core.take(step, isLast: isLast, id)
        return (outcome, outcome == .goesOn && !mustYield ? core.takeNext(id) : nil)
      }
      if outcome == .concluded { return true }
      if mustYield, outcome == .goesOn {
        await executor.fairShare.yield()
        next = connection.event { $0.takeNext(id) }
      }
    }
  }

  // MARK: Reading by the handler

  /// Returns the next part of the request, or nil at its end.
  ///
  /// - Throws: `RPCError` for a request that violates the protocol, `CancellationError` if the call has ended.
  func nextPart() async throws -> Part? {
    if executor.fairShare.hasUsedSlice { await executor.fairShare.yield() }
    if executor.isCurrent, let reading = connection.event({ $0.read(id) }) { return try reading.result.get() }
    let wait = Wait()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        executor.run { self.read(continuation, wait) }
      }
    } onCancel: {
      wait.isCancelled.store(true, ordering: .relaxed)
      executor.run { self.stopReading(wait) }
    }
  }

  private func read(_ continuation: Reader, _ wait: Wait) {
    if reader != nil {
      continuation.resume(
        throwing: RPCError(code: .internalError, message: "the request is read by two tasks at once"))
    } else if let reading = connection.event({ $0.read(id) }) {
      continuation.resume(with: reading.result)
    } else if wait.isCancelled.load(ordering: .relaxed) {
      continuation.resume(throwing: CancellationError())
    } else {
      reader = (continuation, wait)
      connection.wait { $0.awaitPart(id) }
    }
  }

  /// Passes the waiting reader its result.
  func resumeReader(_ reading: RequestReading) {
    exchange(&reader, with: nil)?.continuation.resume(with: reading.result)
  }

  private func stopReading(_ wait: Wait) {
    // If a result is already on its way, the reader receives it.
    guard let reader, reader.wait === wait, connection.wait({ $0.stopAwaitingPart(id) }) else { return }
    self.reader = nil
    reader.continuation.resume(throwing: CancellationError())
  }

  // MARK: Writing by the handler

  /// Queues a part of the response, and returns once there is room for more.
  ///
  /// - Throws: `RPCError` for a part that cannot be sent, `CancellationError` if the call has ended.
  func write(_ part: RPCResponsePart<MessageBytes>) async throws {
    if executor.fairShare.hasUsedSlice { await executor.fairShare.yield() }
    if executor.isCurrent {
      if try writeNow(part) { return }
    } else {
      try await withCheckedThrowingContinuation { (continuation: Writer) in
        executor.run { continuation.resume(with: Result { _ = try self.writeNow(part) }) }
      }
    }
    try await waitForRoom()
  }

  /// Queues parts of the response one after another, like ``write(_:)``.
  func write(contentsOf parts: some Sequence<RPCResponsePart<MessageBytes>>) async throws {
    for part in parts { try await write(part) }
  }

  /// Queues a part of the response. Returns whether there is room for more.
  private func writeNow(_ part: RPCResponsePart<MessageBytes>) throws -> Bool {
    try connection.event { core in
      try core.write(id, part)
      return core.room(id) == .free
    }
  }

  private func waitForRoom() async throws {
    let wait = Wait()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: Writer) in
        executor.run { self.waitForRoom(continuation, wait) }
      }
    } onCancel: {
      wait.isCancelled.store(true, ordering: .relaxed)
      executor.run { self.stopWriting(wait) }
    }
  }

  private func waitForRoom(_ continuation: Writer, _ wait: Wait) {
    if wait.isCancelled.load(ordering: .relaxed) {
      return continuation.resume(throwing: CancellationError())
    }
    switch connection.wait({ $0.awaitRoom(id) }) {
    case .free: continuation.resume()
    case .full: writers.append((continuation, wait))
    case .callEnded: continuation.resume(throwing: CancellationError())
    }
  }

  /// Resumes the waiting writers.
  func resumeWriters() {
    for writer in exchange(&writers, with: []) { writer.continuation.resume() }
  }

  private func stopWriting(_ wait: Wait) {
    guard let index = writers.firstIndex(where: { $0.wait === wait }) else { return }
    writers.remove(at: index).continuation.resume(throwing: CancellationError())
  }
}

extension RequestReading {
  /// The result for a handler: a part, nil at the end, or an error.
  fileprivate var result: Result<RPCRequestPart<MessageBytes>?, any Error> {
    switch self {
    case .part(let part): .success(part)
    case .end: .success(nil)
    case .failure(let error): .failure(error)
    case .callEnded: .failure(CancellationError())
    }
  }
}
