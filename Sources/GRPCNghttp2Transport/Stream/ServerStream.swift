import GRPCCore
import NIOCore

/// A call on its stream: the messages that have arrived and wait for the handler, and what the handler has
/// written and waits for the wire.
///
/// `@unchecked Sendable`: `id` and `connection` are constant; all else is touched only on the connection's
/// event loop. The handler's side, which may run anywhere, goes through ``nextPart()`` and ``write(_:)``,
/// which go there.
final class ServerStream: @unchecked Sendable {
  typealias CallFault = Nghttp2ServerTransport.CallFault
  typealias Part = RPCRequestPart<MessageBytes>
  typealias Reader = CheckedContinuation<Part?, any Error>
  typealias Writer = CheckedContinuation<Void, any Error>

  let id: Int32
  let connection: Connection

  // The request.
  @exclusivity(unchecked) var head: RequestHead
  private let verdict: RequestHead.Verdict
  /// The method of a call that is accepted.
  let method: Method?
  /// Whether the call waits for what its handler needs to begin: its request, or room for its responses.
  @exclusivity(unchecked) var isPending = false
  /// Whether ``begin(now:)`` has acted on the head.
  private var hasBegun = false
  @exclusivity(unchecked) var deframer: MessageDeframer
  /// Bytes of DATA that have come, of which `content-length` may have told.
  @exclusivity(unchecked) private(set) var bodyLength = 0
  /// Whether what has come after the head breaks the rules of HTTP/2.
  var isMalformed = false
  /// Whether the client has ended its side.
  @exclusivity(unchecked) var requestHasEnded = false
  /// Whether the request may have any number of messages.
  let takesManyMessages: Bool
  private var hasDeliveredHead = false
  @exclusivity(unchecked) private(set) var messagesReceived = 0
  /// What ends the request instead of its END_STREAM. Messages that nobody has taken yet go with it.
  private(set) var requestFailure: RPCError?
  @exclusivity(unchecked) var reader: (continuation: Reader, wait: Wait)?
  /// Whether ``requests`` take the messages of the call, which has no handler.
  @exclusivity(unchecked) var takesRequests = false
  /// What takes them; nil while a task of the call has it, and at the end.
  var requests: (any InlineRequests)?
  /// Bytes of the stream's window that have not been given back.
  @exclusivity(unchecked) var heldWindow = 0
  /// Bytes of the stream's window that the connection is to give back.
  @exclusivity(unchecked) var windowToReturn = 0
  /// Bytes of the message that the handler has taken last, inflated, until it asks for the next.
  @exclusivity(unchecked) var inHand = 0
  /// Bytes that the message in hand is going to be answered with, as the connection's memory counts them.
  @exclusivity(unchecked) var expected = 0
  /// Bytes that it counts for an incomplete message.
  @exclusivity(unchecked) var incomplete = 0
  /// Bytes that the connection's memory counts for this call, all in all.
  @exclusivity(unchecked) var charged = 0
  /// Whether the header fields are kept.
  var keepsHead = true
  /// Whether the connection has it in its list of streams that wait for room.
  var isWaitingForRoom = false
  /// Whether the connection has it in its list of streams that wait for a task's end.
  var isWaitingForTask = false

  // The response.
  /// Whether its END_STREAM has been sent.
  var responseHasEnded = false
  @exclusivity(unchecked) var response = ResponseState()
  @exclusivity(unchecked) var output: ByteBuffer
  @exclusivity(unchecked) var writers: [(continuation: Writer, wait: Wait)] = []
  var encoding = MessageEncoding.identity

  // The end.
  private var task: Task<Void, Never>?
  private var cancellation: ServerContext.RPCCancellationHandle?
  /// Called when a call of an ``InlineStream`` ends before its status.
  var whenCancelled: (@Sendable () -> Void)?
  @exclusivity(unchecked) private(set) var hasTask = false
  private(set) var isClosed = false
  /// Whether nothing more is to be done for the call, although it may still be there.
  private(set) var isCancelled = false
  /// When the call must have ended; `distantFuture` is never, here and below.
  var deadline = NIODeadline.distantFuture
  /// When what the server waits for must have arrived, and when that wait began.
  var receiveBy = NIODeadline.distantFuture
  var receiveSince: (start: NIODeadline, messages: Int)?
  /// When what waits to be sent must have got on.
  var sendBy = NIODeadline.distantFuture
  /// Bytes sent since `sendBy` was set, and how many set it anew.
  @exclusivity(unchecked) var sentSinceRenewal = 0
  static let progress = 16 * 1_024
  /// Whether the connection has it in its list of streams with something to submit.
  var isDirty = false

  /// A call whose headers are complete: ``begin(now:)`` acts on them.
  init(_ request: consuming ArrivingRequest, connection: Connection) {
    id = request.id
    self.connection = connection
    head = request.head
    verdict = head.verdict()
    method = if case .accept(let method) = verdict { method } else { nil }
    takesManyMessages = method?.takesManyMessages ?? true
    deframer = MessageDeframer(
      maxLength: method?.maxReceiveMessageSize ?? 0, permitsCompression: head.encoding != .identity,
      buffer: request.memory.request)
    output = request.memory.response
    settle()
  }

  var configuration: Nghttp2ServerTransport.Configuration { connection.configuration }

  // MARK: The connection's side

  /// Starts the call's handler, or answers in its place.
  func begin(now: NIODeadline) {
    hasBegun = true
    switch verdict {
    case .accept(let method):
      connection.executor.callBegan()
      encoding =
        head.acceptedEncodings.contains(configuration.compression) ? configuration.compression : .identity
      launch(method, now: now)
    case .fail(let fault):
      end(fault)
    case .malformed(let message):
      response.setHTTPStatus(400)
      end(.malformed(.internalError, message))
    case .refuse:
      // A client that is still sending would be cut off, and lose the answer.
      if requestHasEnded { return refuse() }
      receiveBy = now + TimeAmount(configuration.receiveTimeout)
      noteWakeup()
    }
  }

  var isRefused: Bool {
    if case .refuse = verdict { true } else { false }
  }

  /// Whether ``dataDelivered(now:)`` has something to do when data or the end has arrived: what arrives with
  /// the head, ``begin(now:)`` sees.
  var wantsDelivery: Bool { hasBegun || isRefused }

  /// Answers in HTTP what is no gRPC request.
  func refuse() {
    guard case .refuse(let status, let message) = verdict, !isClosed, !response.hasStatus else { return }
    receiveBy = .distantFuture
    response.refuse(httpStatus: status)
    if !head.isHead { connection.memory.unsent += output.writeString(message) }
    connection.submitLater(self)
  }

  /// Takes the status of the response, and INTERNAL in its place if metadata must not have what is in `metadata`.
  func setStatus(_ status: Status, _ metadata: Metadata) {
    if let problem = ReservedMetadata.problem(in: metadata) {
      // The status must not get lost for the sake of what comes with it.
      let fault = CallFault(.handlerFailure, .internalError, problem)
      response.status(Status(fault), configuration.faultDetails(fault))
    } else {
      response.status(status, metadata)
    }
  }

  /// What a call fails with whose response has a message of `count` bytes.
  static func tooLarge(_ count: Int, _ configuration: Nghttp2ServerTransport.Configuration) -> CallFault {
    .malformed(
      .resourceExhausted,
      "a response of \(count) bytes is larger than the limit of \(configuration.maxSendMessageSize)")
  }

  /// `handler` runs here and now until it first waits for something.
  func start(now: NIODeadline, _ handler: @escaping @Sendable (ServerStream) async -> Void) {
    noteDeadline(now: now)
    startTask { stream in
      await handler(stream)
      stream.connection.executor.run { stream.handlerEnded() }
    }
  }

  /// `body` runs here and now until it first waits for something, and sees to it that ``taskEnded()`` is called at its end.
  func startTask(_ body: @escaping @Sendable (ServerStream) async -> Void) {
    hasTask = true
    settle()
    connection.handlerStarted()
    connection.executor.beginSlice()
    let task = Task.immediate(executorPreference: connection.executor) { [self] in await body(self) }
    // Unless it has ended, and another has begun.
    if hasTask, self.task == nil { self.task = task }
    if isClosed { task.cancel() }
  }

  var context: Nghttp2ServerTransport.Context {
    Nghttp2ServerTransport.Context(peer: connection.peer, deadline: deadline)
  }

  func run(_ descriptor: MethodDescriptor, _ handle: ServerContext.RPCCancellationHandle) async {
    cancellation = handle
    var context = ServerContext(
      descriptor: descriptor, remotePeer: connection.peer.remote, localPeer: connection.peer.local,
      cancellation: handle)
    context.transportSpecific = self.context
    await connection.streamHandler(
      RPCStream(
        descriptor: descriptor, inbound: RPCAsyncSequence(wrapping: RequestParts(stream: self)),
        outbound: RPCWriter.Closable(wrapping: ResponseWriter(stream: self))), context)
  }

  private func handlerEnded() {
    if !isClosed, !response.hasStatus {
      // GRPCCore always writes a status; another handler may not.
      end(CallFault(.handlerFailure, .internalError, "the handler ended without a status"))
    }
    taskEnded()
  }

  /// What ``startTask(_:)`` was given has done its work.
  func taskEnded() {
    hasTask = false
    task = nil
    cancellation = nil
    inHand = 0
    expect(0)
    settle()
    connection.handlerEnded()
  }

  /// Bytes of a DATA frame have arrived. Only takes notes: ``dataDelivered(now:)`` acts on them.
  func dataReceived(_ bytes: UnsafeRawBufferPointer) {
    bodyLength += bytes.count
    guard !isClosed, requestFailure == nil, !response.hasStatus, method != nil else {
      // Nobody reads it any more, but its window has to come back.
      windowToReturn += bytes.count
      connection.windowToReturn += bytes.count
      return
    }
    heldWindow += bytes.count
    connection.memory.unread += bytes.count
    let before = deframer.completeMessages
    do throws(RPCError) {
      try deframer.receive(bytes)
      messagesReceived += deframer.completeMessages - before
      if !takesManyMessages, messagesReceived > 1 {
        throw RPCError(code: .unimplemented, message: "the method takes one message, and more have come")
      }
      if connection.memory.mustRefuse { throw rpcError(Self.noRoom) }
    } catch {
      failRequest(error)
    }
  }

  /// Hands what has arrived to a waiting handler, and gives back the window of what it waits for.
  func dataDelivered(now: NIODeadline) {
    if windowToReturn > 0 { connection.submitLater(self) }
    if isRefused {
      if requestHasEnded { refuse() }
      return
    }
    if isPending {
      if let method { launch(method, now: now) }
      return
    }
    if takesRequests { return takeRequests(now: now) }
    deliver()
    if reader != nil, !isWaitingForRoom {
      awaitRequest()
      // What has come may be too much.
      deliver()
    }
    updateReceiveTime(now: now)
  }

  /// Gives a handler that waits what there is for it.
  private func deliver() {
    guard let reader, let result = takePart() else { return }
    self.reader = nil
    reader.continuation.resume(with: result)
  }

  /// The client has ended its side.
  func requestEnded() {
    requestHasEnded = true
    guard requestFailure == nil, !isRefused else { return }
    if deframer.isIncomplete {
      failRequest(RPCError(code: .internalError, message: "the request ends within a message"))
    } else if !takesManyMessages, messagesReceived == 0 {
      failRequest(RPCError(code: .unimplemented, message: "the method takes one message, and none has come"))
    }
  }

  func failRequest(_ error: RPCError) {
    requestFailure = error
    dropRequest()
    returnWindow(heldWindow)
  }

  func returnWindow(_ count: Int) {
    guard count > 0 else { return }
    heldWindow -= count
    connection.memory.unread -= count
    connection.windowToReturn += count
    // A half-closed client sends no more DATA, so its stream needs no window.
    if requestHasEnded { return connection.onWork() }
    windowToReturn += count
    connection.submitLater(self)
  }

  /// The headers need not be delivered.
  func headWasDelivered() { hasDeliveredHead = true }

  /// What a handler that asks for the next part gets; nil if it has to wait.
  func takePart() -> Result<Part?, any Error>? {
    if !hasDeliveredHead {
      hasDeliveredHead = true
      return .success(.metadata(head.metadata))
    }
    inHand = 0
    if takesManyMessages { expectAnswer() }
    defer { settle() }
    if isClosed { return .failure(CancellationError()) }
    if let requestFailure { return .failure(requestFailure) }
    if takesManyMessages, connection.memory.isSendingFull {
      // What the next message is answered with would only add to what waits to be sent.
      connection.waitForRoom(self)
      return nil
    }
    let before = deframer.bufferedBytes
    guard let frame = deframer.next() else { return requestHasEnded ? .success(nil) : nil }
    returnWindow(min(heldWindow, before - deframer.bufferedBytes))
    do throws(RPCError) {
      let message = try inflate(frame)
      inHand = message.count
      guard connection.memory.hasRoom(for: costInHand) else { throw rpcError(Self.noRoom) }
      if method?.answersEachMessage ?? false { expectAnswer() }
      return .success(.message(message))
    } catch {
      failRequest(error)
      return .failure(error)
    }
  }

  /// The message in `frame`, inflated if it is compressed.
  ///
  /// - Throws: `RPCError` for bytes that are not a message of the call's encoding, or inflate to more than the limit.
  func inflate(_ frame: MessageDeframer.Frame) throws(RPCError) -> MessageBytes {
    guard frame.isCompressed else { return MessageBytes(frame.bytes, isCompressed: false) }
    return MessageBytes(
      try Zlib.inflate(frame.bytes, from: head.encoding, maxLength: deframer.maxLength), isCompressed: true)
  }

  /// The stream is over: reset by the client, ended on both sides, or lost with its connection.
  func closed() {
    guard !isClosed else { return }
    isClosed = true
    if isWaitingForRoom { connection.waiting.removeAll { $0 === self } }
    releaseMemory()
    receiveBy = .distantFuture
    sendBy = .distantFuture
    deadline = .distantFuture
    if !response.hasStatus { cancelHandler() }
    if let reader {
      self.reader = nil
      reader.continuation.resume(throwing: CancellationError())
    }
    if !writers.isEmpty {
      let waiting = writers
      writers = []
      for writer in waiting { writer.continuation.resume(throwing: CancellationError()) }
    }
  }

  private func releaseMemory() {
    connection.memory.unread -= heldWindow
    connection.memory.unsent -= output.readableBytes
    connection.windowToReturn += heldWindow
    heldWindow = 0
    expect(0)
    let memory = StreamMemory(
      // A handler may ask for its metadata even now.
      fields: hasTask ? RequestFields() : head.takeFields(), request: deframer.takeBuffer(),
      response: exchange(&output, with: ByteBuffer()))
    settle()
    connection.executor.giveBack(memory)
  }

  /// Forgets the messages that nobody has taken.
  func dropRequest() {
    guard deframer.bufferedBytes > 0 else { return }
    deframer.removeAll()
  }

  func cancelHandler() {
    if let whenCancelled {
      self.whenCancelled = nil
      whenCancelled()
    }
    isCancelled = true
    forgetRequests()
    guard hasTask else { return }
    task?.cancel()
    cancellation?.cancel()
  }

  /// Ends the call with the status of `fault` in the handler's place.
  func end(_ fault: CallFault) {
    guard !isClosed, !response.hasStatus else { return }
    response.status(Status(fault), configuration.faultDetails(fault))
    connection.submitLater(self)
  }
}

extension Status {
  init(_ error: RPCError) {
    self.init(code: Status.Code(error.code), message: error.message)
  }
}
