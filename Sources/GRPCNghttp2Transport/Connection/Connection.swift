import GRPCCore
import NIOCore
import Synchronization

/// One HTTP/2 connection without its socket: it consumes and produces bytes, and is told when time passes. It
/// performs the actions of its ``ConnectionCore`` through nghttp2 and the calls' tasks.
///
/// Confined to its event loop.
final class Connection {
  typealias StreamHandler =
    @concurrent @Sendable (
      RPCStream<
        RPCAsyncSequence<RPCRequestPart<MessageBytes>, any Error>,
        RPCWriter<RPCResponsePart<MessageBytes>>.Closable
      >, ServerContext
    ) async -> Void

  let resources: LoopResources
  let peer: ConnectionPeer
  let streamHandler: StreamHandler
  /// Called when there may be output, or an earlier ``wakeup``.
  var onWork: () -> Void = {}
  /// Called when the connection is lost and its last task has ended.
  var onEnd: () -> Void = {}

  let session: HTTP2Session
  /// The calls that a task or a method processes, by stream id.
  private var calls: [Int32: Call] = [:]
  private var isPerforming = false
  private let maxSendMessageSize: Int

  init(
    core: ConnectionCore, resources: LoopResources, peer: ConnectionPeer,
    streamHandler: @escaping StreamHandler
  ) {
    maxSendMessageSize = core.configuration.maxSendMessageSize
    session = HTTP2Session(core)
    self.resources = resources
    self.peer = peer
    self.streamHandler = streamHandler
  }

  /// The connection error that ends the connection, if any.
  var fault: ConnectionFault? { session.core.end.fault }

  /// The error with which nghttp2 has ended the connection, if any.
  var sessionFault: ConnectionFault? { session.core.end.sessionFault }

  /// Whether to close the connection once the output of ``produce(upTo:now:)`` is sent.
  var mustClose: Bool { session.core.end.mustClose || session.isFinished }

  /// The next time at which ``timePassed(now:)`` has an effect.
  var wakeup: NIODeadline { session.core.wakeup }

  // MARK: Events of the channel

  /// Starts the connection with SETTINGS.
  func start() {
    do throws(HTTP2Session.Failure) {
      try session.open()
    } catch {
      session.core.fail(.protocolError, error.reason)
    }
    onWork()
  }

  /// Processes received bytes.
  func receive(_ buffer: ByteBuffer, now: NIODeadline) {
    buffer.withUnsafeReadableBytes { session.receive($0, now: now) }
    perform()
  }

  /// Returns the next output, of about `limit` bytes, or nil if there is none.
  func produce(upTo limit: Int, now: NIODeadline) -> ByteBuffer? {
    session.core.beginOutput(in: resources.output.take(), limit: limit, now: now)
    repeat {
      perform()
      session.send()
    } while session.core.wantsOutput && session.core.hasWork
    session.core.turnEnded()
    perform()
    if session.core.wantsTurn { onWork() }
    let output = session.core.takeOutput()
    resources.output.giveBack(output)
    return output.readableBytes > 0 ? output : nil
  }

  /// Performs everything that is due at `now`.
  func timePassed(now: NIODeadline) {
    session.core.timePassed(now: now)
    onWork()
  }

  /// Lets running calls finish, then ends the connection.
  func shutDown(now: NIODeadline) {
    session.core.shutDown(now: now)
    onWork()
  }

  /// Ends running calls with UNAVAILABLE, because the server stops.
  func cutOff() {
    session.core.cutOff(.serverStops)
    onWork()
  }

  /// Ends the connection with GOAWAY.
  func end(_ reason: String) { session.core.fail(.noError, reason) }

  /// Cancels every call, because the socket is closed.
  func lost() {
    onWork = {}
    session.close()
    session.core.lost()
    perform()
  }

  // MARK: Events of calls

  /// Tells the core what a call does, and has the connection do what comes of it.
  func event<Result>(_ body: (inout ConnectionCore) throws -> Result) rethrows -> Result {
    var wantsTurn = false
    defer { if wantsTurn, !isPerforming { onWork() } }
    // One access of the core: each costs a check of exclusivity.
    func call(_ core: inout ConnectionCore) throws -> Result {
      defer { wantsTurn = core.wantsTurn }
      return try body(&core)
    }
    return try call(&session.core)
  }

  /// Tells the core what a call waits for from now on.
  func wait<Result>(_ body: (inout ConnectionCore) -> Result) -> Result {
    session.core.now = resources.executor.loop.now
    return event(body)
  }

  /// Records that the call's task has ended.
  func taskEnded(_ call: Call) {
    calls[call.id] = nil
    wait { $0.taskEnded(call.id) }
    performIfLost()
  }

  /// Records that the task that takes messages has ended. Returns whether the method will receive more messages.
  func takerEnded(_ call: Call, hasConcluded: Bool) -> Bool {
    let goesOn = wait { $0.takerEnded(call.id, hasConcluded: hasConcluded) }
    if !goesOn { calls[call.id] = nil }
    performIfLost()
    return goesOn
  }

  /// Performs actions at once if the connection is lost, because it has no more turns.
  private func performIfLost() {
    if session.core.end.isLost { perform() }
  }

  // MARK: Actions

  private func perform() {
    guard !isPerforming else { return }
    isPerforming = true
    defer { isPerforming = false }
    while let action = session.nextCallAction() { perform(action) }
  }

  private func perform(_ action: ConnectionAction) {
    switch action {
    case .answer(let id): answer(id)
    case .startHandler(let id): startHandler(id)
    case .startTaker(let id): calls[id]?.startTaker()
    case .resumeReader(let id, let reading): calls[id]?.resumeReader(reading)
    case .resumeWriters(let id): calls[id]?.resumeWriters()
    case .cancel(let id): cancel(id)
    case .closed(let id): closed(id)
    case .callsAreCutOff: peer.isCutOff.store(true, ordering: .relaxed)
    case .ended: onEnd()
    case .send, .reset, .returnStreamWindow, .returnConnectionWindow, .ping, .goAwayNotice, .goAway,
      .goAwayFor:
      break  // Performed by the session.
    }
  }

  private func cancel(_ id: Int32) {
    guard let call = calls[id] else { return }
    call.cancel()
    forgetIdle(call)
  }

  /// Drops a call without a task, which nothing else will drop: it keeps the connection.
  private func forgetIdle(_ call: Call) {
    if !call.hasTask { calls[call.id] = nil }
  }

  private func closed(_ id: Int32) {
    guard let call = calls[id] else { return }
    call.closed()
    forgetIdle(call)
  }

  private func startHandler(_ id: Int32) {
    guard let descriptor = session.core.method(id)?.descriptor else { return }
    resources.executor.fairShare.callBegan()
    makeCall(id).startHandler(descriptor)
  }

  private func makeCall(_ id: Int32) -> Call {
    let context = CallContext(peer: peer, deadline: session.core.deadline(id))
    let call = Call(id, connection: self, context: context)
    calls[id] = call
    return call
  }

  /// What an inline method has decided about a call.
  private enum InlineDecision {
    /// Its answer, nil if it declines, and the call's buffer for a response.
    case unary(InlineCall.Answer?, ByteQueue)
    case streamTaken
    case requests(InlineAcceptance)
    case declined
  }

  /// Asks the call's inline method for an answer. If it declines, the handler answers.
  private func answer(_ id: Int32) {
    switch ask(id) {
    case .unary(.given, let response):
      resources.executor.fairShare.callBegan()
      session.core.answered(id, response)
    case .unary(.later(let later), let response):
      resources.executor.fairShare.callBegan()
      session.core.answersLater(id, response)
      makeCall(id).startLater(later)
    case .streamTaken:
      resources.executor.fairShare.callBegan()
      session.core.streamTaken(id)
    case .requests(.taken(let requests)):
      resources.executor.fairShare.callBegan()
      calls[id]?.requests = requests
      session.core.taken(id)
    case .requests(.refused(let error)):
      calls[id] = nil
      session.core.refused(id, error)
    case .unary(nil, let response): declined(id, response)
    case .requests(.declined), .declined:
      calls[id] = nil
      declined(id)
    }
  }

  private func declined(_ id: Int32, _ response: ByteQueue? = nil) {
    if let action = session.core.declined(id, response) { perform(action) }
  }

  /// Asks the call's inline method. The request is gone when this returns.
  private func ask(_ id: Int32) -> InlineDecision {
    var response = ByteQueue()
    guard let request = session.core.inlineRequest(id, &response) else { return .declined }
    switch request.inline {
    case .unary(let method):
      let answer = request.message.withUnsafeBytes { ask(method, request.fields, $0, &response) }
      return .unary(answer, response)
    case .stream(let method):
      let call = makeCall(id)
      let isTaken = request.message.withUnsafeBytes { method(inlineStream(call, request.fields, $0)) }
      return isTaken ? .streamTaken : .declined
    case .requests(let method):
      let none = UnsafeRawBufferPointer(start: nil, count: 0)
      return .requests(method(inlineStream(makeCall(id), request.fields, none)))
    }
  }

  private func ask(
    _ method: (inout InlineCall) -> Void, _ fields: RequestFields, _ message: UnsafeRawBufferPointer,
    _ response: inout ByteQueue
  ) -> InlineCall.Answer? {
    var call = InlineCall(
      fields: fields, message: message, peer: peer, limit: maxSendMessageSize,
      response: exchange(&response, with: ByteQueue()))
    method(&call)
    return call.finish(&response)
  }

  private func inlineStream(
    _ call: Call, _ fields: RequestFields, _ message: UnsafeRawBufferPointer
  ) -> InlineStream {
    InlineStream(fields: fields, message: message, context: call.context, responses: call.responses) {
      call.whenCancelled = $0
    }
  }
}
