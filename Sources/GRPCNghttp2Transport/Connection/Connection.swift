import GRPCCore
import NIOCore
import Synchronization

/// One HTTP/2 connection without its socket: bytes in, bytes out, time passes. It performs the actions of its
/// ``ConnectionCore``, by nghttp2 and by the calls' tasks.
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
  /// Called when there may be something to send, or an earlier time to wake up.
  var onWork: () -> Void = {}
  /// Called when the connection is lost and its last task has ended.
  var onEnd: () -> Void = {}

  let session: HTTP2Session
  /// The calls that a task or a method works on, by their streams.
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

  /// Why the connection ends, if it ends for a fault.
  var fault: ConnectionFault? { session.core.end.fault }

  /// Why nghttp2 has ended the connection, if it has.
  var sessionFault: ConnectionFault? { session.core.end.sessionFault }

  /// Whether the connection is to be closed once what ``produce(upTo:now:)`` gave has been sent.
  var isOver: Bool { session.core.end.mustClose || session.isOver }

  /// When ``timePassed(now:)`` has something to do.
  var wakeup: NIODeadline { session.core.wakeup }

  // MARK: Events of the channel

  /// Begins with SETTINGS.
  func start() {
    do throws(HTTP2Session.Failure) {
      try session.open()
    } catch {
      session.core.fail(.protocolError, error.reason)
    }
    onWork()
  }

  /// Takes bytes that have arrived.
  func receive(_ buffer: ByteBuffer, now: NIODeadline) {
    buffer.withUnsafeReadableBytes { session.receive($0, now: now) }
    perform()
  }

  /// The next bytes to send, about `limit` of them; nil if there are none.
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

  /// Does what is due.
  func timePassed(now: NIODeadline) {
    session.core.timePassed(now: now)
    onWork()
  }

  /// Lets running calls finish, and ends then.
  func shutDown(now: NIODeadline) {
    session.core.shutDown(now: now)
    onWork()
  }

  /// Ends the calls that still run with UNAVAILABLE, because the server stops.
  func cutOff() {
    session.core.cutOff(.serverStops)
    onWork()
  }

  /// Ends the connection with GOAWAY.
  func end(_ reason: String) { session.core.fail(.noError, reason) }

  /// The socket is gone: every call is cancelled.
  func lost() {
    onWork = {}
    session.close()
    session.core.lost()
    perform()
  }

  // MARK: Events of calls

  /// Tells the core what a call does, and has the connection do what comes of it.
  func event<Result>(_ body: (inout ConnectionCore) throws -> Result) rethrows -> Result {
    defer { if session.core.wantsTurn, !isPerforming { onWork() } }
    return try body(&session.core)
  }

  /// Tells the core what a call waits for from now on.
  func wait<Result>(_ body: (inout ConnectionCore) -> Result) -> Result {
    session.core.now = resources.executor.loop.now
    return event(body)
  }

  /// The call's task has ended.
  func taskEnded(_ call: Call) {
    calls[call.id] = nil
    wait { $0.taskEnded(call.id) }
    performIfLost()
  }

  /// The task that took messages has ended. Returns whether the method is going to be given more.
  func takerEnded(_ call: Call, hasConcluded: Bool) -> Bool {
    let goesOn = wait { $0.takerEnded(call.id, hasConcluded: hasConcluded) }
    if !goesOn { calls[call.id] = nil }
    performIfLost()
    return goesOn
  }

  /// Without a socket there are no turns any more.
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
    case .cancel(let id): calls[id]?.cancel()
    case .closed(let id): closed(id)
    case .callsAreCutOff: peer.isCutOff.store(true, ordering: .relaxed)
    case .ended: onEnd()
    case .send, .reset, .returnStreamWindow, .returnConnectionWindow, .ping, .goAwayNotice, .goAway,
      .goAwayFor:
      break  // Performed by the session.
    }
  }

  private func closed(_ id: Int32) {
    guard let call = calls[id] else { return }
    call.closed()
    if !call.hasTask { calls[id] = nil }
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

  /// Asks the call's inline method to answer it. What it declines is its handler's.
  private func answer(_ id: Int32) {
    guard let request = session.core.inlineRequest(id) else { return declined(id) }
    switch request.method.inline {
    case .unary(let method): answer(id, request, method)
    case .stream(let method): take(id, request, method)
    case .requests(let method): takeRequests(id, request, method)
    case nil: declined(id)
    }
  }

  private func declined(_ id: Int32, _ response: ByteBuffer? = nil) {
    if let action = session.core.declined(id, response) { perform(action) }
  }

  private func answer(
    _ id: Int32, _ request: consuming ConnectionCore.InlineRequest, _ method: (inout InlineCall) -> Void
  ) {
    let (answer, response) = ask(method, request)
    switch answer {
    case nil: declined(id, response)
    case .given:
      resources.executor.fairShare.callBegan()
      session.core.answered(id, response)
    case .later(let later):
      resources.executor.fairShare.callBegan()
      session.core.answersLater(id, response)
      makeCall(id).startLater(later)
    }
  }

  /// Nothing of the request is kept when it returns, so that the core has its buffers for itself.
  private func ask(
    _ method: (inout InlineCall) -> Void, _ request: consuming ConnectionCore.InlineRequest
  ) -> (InlineCall.Answer?, ByteBuffer) {
    request.message.withUnsafeReadableBytes { message in
      var call = InlineCall(
        fields: request.fields, message: message, peer: peer, limit: maxSendMessageSize,
        response: request.response)
      method(&call)
      return call.finish()
    }
  }

  private func take(
    _ id: Int32, _ request: ConnectionCore.InlineRequest, _ method: (borrowing InlineStream) -> Bool
  ) {
    let call = makeCall(id)
    let isTaken = request.message.withUnsafeReadableBytes { method(inlineStream(call, request.fields, $0)) }
    guard isTaken else {
      calls[id] = nil
      return declined(id)
    }
    resources.executor.fairShare.callBegan()
    session.core.streamTaken(id)
  }

  private func takeRequests(
    _ id: Int32, _ request: ConnectionCore.InlineRequest,
    _ method: (borrowing InlineStream) -> InlineAcceptance
  ) {
    let call = makeCall(id)
    let none = UnsafeRawBufferPointer(start: nil, count: 0)
    switch method(inlineStream(call, request.fields, none)) {
    case .taken(let requests):
      resources.executor.fairShare.callBegan()
      call.requests = requests
      session.core.taken(id)
    case .refused(let error):
      calls[id] = nil
      session.core.refused(id, error)
    case .declined:
      calls[id] = nil
      declined(id)
    }
  }

  private func inlineStream(
    _ call: Call, _ fields: RequestFields, _ message: UnsafeRawBufferPointer
  ) -> InlineStream {
    InlineStream(fields: fields, message: message, context: call.context, responses: call.responses) {
      call.whenCancelled = $0
    }
  }
}
