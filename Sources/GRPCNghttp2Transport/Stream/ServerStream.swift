import GRPCCore
import NIOCore
import Synchronization

/// A call on its stream: the messages that have arrived and wait for the handler, and what the handler has written and
/// waits for the wire.
///
/// `@unchecked Sendable`: `id` and `connection` are constant; all else is touched only on the connection's event loop.
/// The handler's side, which may run anywhere, goes through ``nextPart()``, ``write(_:)`` and ``finish()``, which go there.
final class ServerStream: @unchecked Sendable {
  typealias Part = RPCRequestPart<MessageBytes>
  typealias Reader = CheckedContinuation<Part?, any Error>
  typealias Writer = CheckedContinuation<Void, any Error>

  let id: Int32
  let connection: Connection

  // The request.
  var head: RequestHead
  private(set) var hasHead = false
  private var verdict = RequestHead.Verdict.fail(.internalError, "the request has no head")
  private var deframer: MessageDeframer
  /// Whether the client has ended its side.
  var requestHasEnded = false
  /// Whether the request may have any number of messages.
  private var takesManyMessages = true
  private var hasDeliveredHead = false
  private var messagesReceived = 0
  /// What ends the request instead of its END_STREAM, after the messages before it.
  private(set) var requestFailure: RPCError?
  private var reader: (continuation: Reader, wait: Wait)?
  /// Bytes of the stream's window that have not been given back.
  private var heldWindow = 0
  /// Bytes of the stream's window that the connection is to give back.
  var windowToReturn = 0

  // The response.
  private var response = ResponseState()
  private var output = ByteBuffer()
  private var writers: [(continuation: Writer, wait: Wait)] = []
  private var encoding = MessageEncoding.identity

  // The end.
  private var task: Task<Void, Never>?
  private var cancellation: ServerContext.RPCCancellationHandle?
  private var handlerHasEnded = false
  private(set) var isClosed = false
  /// When the call must have ended; `distantFuture` is never, here and below.
  private var deadline = NIODeadline.distantFuture
  /// When what the server waits for must have arrived, and when that wait began.
  private var receiveBy = NIODeadline.distantFuture
  private var receiveSince: (start: NIODeadline, messages: Int)?
  /// When what waits to be sent must have got on.
  private var sendBy = NIODeadline.distantFuture
  /// Whether the connection has it in its list of streams with something to submit.
  var isDirty = false

  init(id: Int32, connection: Connection) {
    self.id = id
    self.connection = connection
    head = RequestHead(maxListSize: connection.configuration.maxHeaderListSize)
    deframer = MessageDeframer(maxLength: connection.configuration.maxReceiveMessageSize)
  }

  private var configuration: Nghttp2ServerTransport.Configuration { connection.configuration }

  // MARK: The connection's side

  /// The request's headers are complete. Only takes notes: ``begin(now:)`` acts on them.
  func headReceived() {
    hasHead = true
    verdict = head.verdict()
    deframer.permitsCompression = head.encoding != .identity
    if case .accept(let descriptor) = verdict {
      takesManyMessages = descriptor.type?.isRequestStreaming ?? true
    }
  }

  /// Starts the call's handler, or answers in its place.
  func begin(now: NIODeadline) {
    switch verdict {
    case .accept(let descriptor):
      start(descriptor, now: now)
    case .fail(let code, let message):
      end(Status(code: Status.Code(code), message: message))
    case .malformed(let message):
      response.setHTTPStatus(400)
      end(Status(code: .internalError, message: message))
    case .refuse:
      // A client that is still sending would be cut off, and lose the answer.
      if requestHasEnded { return refuse() }
      receiveBy = now + TimeAmount(configuration.receiveTimeout)
      noteWakeup()
    }
  }

  private var isRefused: Bool {
    if case .refuse = verdict { true } else { false }
  }

  /// Answers in HTTP what is no gRPC request.
  private func refuse() {
    guard case .refuse(let status, let message) = verdict, !isClosed, !response.hasStatus else { return }
    receiveBy = .distantFuture
    response.refuse(httpStatus: status)
    if !head.isHead { output.writeString(message) }
    connection.submitLater(self)
  }

  /// The handler runs here and now until it first waits for something.
  private func start(_ descriptor: MethodDescriptor, now: NIODeadline) {
    if let timeout = head.timeout { deadline = now + timeout }
    encoding =
      head.acceptedEncodings.contains(configuration.compression) ? configuration.compression : .identity
    if !takesManyMessages, !requestHasEnded {
      receiveSince = (now, 0)
      receiveBy = now + TimeAmount(configuration.receiveTimeout)
    }
    noteWakeup()
    connection.handlerStarted()
    let task = Task.immediate(executorPreference: connection.executor) { [self] in
      await withServerContextRPCCancellationHandle { handle in
        await run(descriptor, handle)
      }
      connection.executor.run { self.handlerEnded() }
    }
    if !handlerHasEnded { self.task = task }
    if isClosed { task.cancel() }
  }

  private func run(_ descriptor: MethodDescriptor, _ handle: ServerContext.RPCCancellationHandle) async {
    cancellation = handle
    var context = ServerContext(
      descriptor: descriptor, remotePeer: connection.peer.remote, localPeer: connection.peer.local,
      cancellation: handle)
    context.transportSpecific = Nghttp2ServerTransport.Context(peer: connection.peer, deadline: deadline)
    await connection.streamHandler(
      RPCStream(
        descriptor: descriptor, inbound: RPCAsyncSequence(wrapping: RequestParts(stream: self)),
        outbound: RPCWriter.Closable(wrapping: ResponseWriter(stream: self))), context)
  }

  private func handlerEnded() {
    handlerHasEnded = true
    task = nil
    cancellation = nil
    if !isClosed, !response.hasStatus {
      // GRPCCore always writes a status; another handler may not.
      end(Status(code: .internalError, message: "the handler ended without a status"))
    }
    connection.handlerEnded()
  }

  /// Bytes of a DATA frame have arrived. Only takes notes: ``dataDelivered(now:)`` acts on them.
  func dataReceived(_ bytes: UnsafeRawBufferPointer) {
    guard !isClosed, requestFailure == nil, !response.hasStatus, !isRefused else {
      // Nobody reads it any more, but its window has to come back.
      windowToReturn += bytes.count
      return
    }
    heldWindow += bytes.count
    connection.bufferedBytes += bytes.count
    let before = deframer.completeMessages
    do throws(RPCError) {
      try deframer.receive(bytes)
      messagesReceived += deframer.completeMessages - before
      if !takesManyMessages, messagesReceived > 1 {
        throw RPCError(code: .unimplemented, message: "the method takes one message, and more have come")
      }
      if connection.bufferedBytes > configuration.maxBufferedRequestBytes {
        throw RPCError(
          code: .resourceExhausted, message: "the connection has more than its share of unread messages")
      }
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
    if let reader, let result = takePart() {
      self.reader = nil
      reader.continuation.resume(with: result)
    }
    if reader != nil { returnWindow(heldWindow) }
    updateReceiveTime(now: now)
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

  private func failRequest(_ error: RPCError) {
    requestFailure = error
    connection.bufferedBytes -= deframer.bufferedBytes
    deframer.removeAll()
    returnWindow(heldWindow)
  }

  private func returnWindow(_ count: Int) {
    guard count > 0 else { return }
    heldWindow -= count
    windowToReturn += count
    connection.submitLater(self)
  }

  /// What a handler that asks for the next part gets; nil if it has to wait.
  private func takePart() -> Result<Part?, any Error>? {
    if !hasDeliveredHead {
      hasDeliveredHead = true
      return .success(.metadata(head.metadata))
    }
    if isClosed { return .failure(CancellationError()) }
    let before = deframer.bufferedBytes
    if let frame = deframer.next() {
      let taken = before - deframer.bufferedBytes
      connection.bufferedBytes -= taken
      returnWindow(min(heldWindow, taken))
      return Result { .message(try inflate(frame)) }
    }
    if let requestFailure { return .failure(requestFailure) }
    return requestHasEnded ? .success(nil) : nil
  }

  private func inflate(_ frame: MessageDeframer.Frame) throws(RPCError) -> MessageBytes {
    guard frame.isCompressed else { return MessageBytes(frame.bytes, isCompressed: false) }
    return MessageBytes(
      try Zlib.inflate(frame.bytes, from: head.encoding, maxLength: configuration.maxReceiveMessageSize),
      isCompressed: true)
  }

  /// Moves `count` bytes of the response to the connection's.
  func moveOutput(_ count: Int, to buffer: inout ByteBuffer) {
    output.readWithUnsafeReadableBytes { bytes in
      buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
      return min(count, bytes.count)
    }
    if output.readableBytes == 0 {
      // A large message must not leave its stream with a large buffer; what suspends the handler is not large.
      if output.capacity > 4 * configuration.writeBufferSize { output = ByteBuffer() } else { output.clear() }
    }
  }

  /// Bytes of the response have left for the wire.
  func outputSent(now: NIODeadline) {
    sendBy = output.readableBytes > 0 ? now + TimeAmount(configuration.sendTimeout) : .distantFuture
    noteWakeup()
    if output.readableBytes <= configuration.writeBufferSize / 2 { resumeWriters() }
  }

  private func resumeWriters() {
    guard !writers.isEmpty else { return }
    let resumed = writers
    writers = []
    for writer in resumed { writer.continuation.resume() }
  }

  /// The next frame of the response to submit, which counts as submitted from now on.
  func nextStep(now: NIODeadline) -> ResponseState.Step {
    let step = response.next(buffered: output.readableBytes)
    response.submitted(step)
    if case .data = step, sendBy == .distantFuture {
      sendBy = now + TimeAmount(configuration.sendTimeout)
      noteWakeup()
    }
    return step
  }

  /// nghttp2 asks for DATA: how many bytes there are, at most `limit`, and whether these are all.
  func dataWanted(atMost limit: Int) -> (count: Int, isLast: Bool) {
    let count = min(limit, output.readableBytes)
    if count == output.readableBytes { response.dataSubmitted() }
    return (count, count == output.readableBytes)
  }

  /// The stream is over: reset by the client, ended on both sides, or lost with its connection.
  func closed() {
    guard !isClosed else { return }
    isClosed = true
    connection.bufferedBytes -= deframer.bufferedBytes
    deframer.removeAll()
    output = ByteBuffer()
    receiveBy = .distantFuture
    sendBy = .distantFuture
    deadline = .distantFuture
    if !response.hasStatus { cancelHandler() }
    let error = CancellationError()
    reader?.continuation.resume(throwing: error)
    reader = nil
    let waiting = writers
    writers = []
    for writer in waiting { writer.continuation.resume(throwing: error) }
  }

  private func cancelHandler() {
    guard !handlerHasEnded else { return }
    task?.cancel()
    cancellation?.cancel()
  }

  /// Ends the call with `status` in the handler's place.
  func end(_ status: Status) {
    guard !isClosed, !response.hasStatus else { return }
    response.status(status, [:])
    connection.submitLater(self)
  }

  // MARK: Time

  /// The next time at which ``timePassed(now:)`` has something to do.
  var wakeup: NIODeadline { min(deadline, min(receiveBy, sendBy)) }

  private func noteWakeup() { connection.wakeupNeeded(at: wakeup) }

  enum Overdue {
    case request
    case response
  }

  /// Ends the call if its deadline has passed. Returns what the client has been too slow with, if anything.
  func timePassed(now: NIODeadline) -> Overdue? {
    if now >= deadline {
      deadline = .distantFuture
      if output.readableBytes == 0 {
        end(Status(code: .deadlineExceeded, message: "the deadline has passed"))
      } else {
        // Messages that the client has not taken are before the status.
        connection.reset(self, .cancel)
      }
      cancelHandler()
    }
    if now >= receiveBy {
      receiveBy = .distantFuture
      return .request
    }
    if now >= sendBy {
      sendBy = .distantFuture
      return .response
    }
    return nil
  }

  /// Of a message that the handler waits for, and of a request with one message, time is counted from its beginning.
  private func updateReceiveTime(now: NIODeadline) {
    let isWaiting =
      !requestHasEnded && requestFailure == nil && !response.hasStatus
      && (!takesManyMessages || (deframer.isIncomplete && reader != nil))
    guard isWaiting else {
      receiveBy = .distantFuture
      if takesManyMessages { receiveSince = nil }
      return
    }
    if receiveSince?.messages != messagesReceived, takesManyMessages { receiveSince = nil }
    let since = receiveSince ?? (now, messagesReceived)
    receiveSince = since
    let forLength = TimeAmount.seconds(Int64(deframer.missingBytes / 4_096))
    let by = since.start + TimeAmount(configuration.receiveTimeout) + forLength
    receiveBy = receiveBy == .distantFuture ? by : max(by, receiveBy)
    noteWakeup()
  }

  // MARK: The handler's side

  /// The next part of the request, nil at its end.
  ///
  /// - Throws: `RPCError` for a request that breaks the protocol, `CancellationError` if the call is over.
  func nextPart() async throws -> Part? {
    if connection.executor.isCurrent, let result = takePart() { return try result.get() }
    return try await waitForPart()
  }

  private func waitForPart() async throws -> Part? {
    let wait = Wait()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        connection.executor.run { self.read(continuation, wait) }
      }
    } onCancel: {
      wait.isCancelled.store(true, ordering: .relaxed)
      connection.executor.run { self.stopReading(wait) }
    }
  }

  private func read(_ continuation: Reader, _ wait: Wait) {
    if let result = takePart() {
      continuation.resume(with: result)
    } else if wait.isCancelled.load(ordering: .relaxed) {
      continuation.resume(throwing: CancellationError())
    } else if reader != nil {
      continuation.resume(
        throwing: RPCError(code: .internalError, message: "the request is read twice at once"))
    } else {
      reader = (continuation, wait)
      dataDelivered(now: connection.executor.loop.now)
    }
  }

  private func stopReading(_ wait: Wait) {
    guard let reader, reader.wait === wait else { return }
    self.reader = nil
    reader.continuation.resume(throwing: CancellationError())
  }

  /// Takes a part of the response, and returns once there is room for more.
  ///
  /// - Throws: `RPCError` for a part that cannot be sent, `CancellationError` if the call is over.
  func write(_ part: RPCResponsePart<MessageBytes>) async throws {
    if connection.executor.isCurrent {
      try accept(part)
      if !isFull { return }
    } else {
      try await withCheckedThrowingContinuation { (continuation: Writer) in
        connection.executor.run { continuation.resume(with: Result { try self.accept(part) }) }
      }
    }
    try await waitForRoom()
  }

  /// Takes parts of the response one after the other, as ``write(_:)`` does.
  func write(contentsOf parts: some Sequence<RPCResponsePart<MessageBytes>>) async throws {
    for part in parts {
      if connection.executor.isCurrent {
        try accept(part)
        if isFull { try await waitForRoom() }
      } else {
        try await write(part)
      }
    }
  }

  private var isFull: Bool { output.readableBytes > configuration.writeBufferSize && !response.hasStatus }

  private func waitForRoom() async throws {
    let wait = Wait()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: Writer) in
        connection.executor.run { self.waitForRoom(continuation, wait) }
      }
    } onCancel: {
      wait.isCancelled.store(true, ordering: .relaxed)
      connection.executor.run { self.stopWriting(wait) }
    }
  }

  private func waitForRoom(_ continuation: Writer, _ wait: Wait) {
    if isClosed || wait.isCancelled.load(ordering: .relaxed) {
      continuation.resume(throwing: CancellationError())
    } else if isFull {
      writers.append((continuation, wait))
      if sendBy == .distantFuture {
        sendBy = connection.executor.loop.now + TimeAmount(configuration.sendTimeout)
        noteWakeup()
      }
    } else {
      continuation.resume()
    }
  }

  private func stopWriting(_ wait: Wait) {
    guard let index = writers.firstIndex(where: { $0.wait === wait }) else { return }
    writers.remove(at: index).continuation.resume(throwing: CancellationError())
  }

  private func accept(_ part: RPCResponsePart<MessageBytes>) throws {
    guard !isClosed, !response.hasStatus else { throw CancellationError() }
    switch part {
    case .metadata(let metadata):
      if let problem = ReservedMetadata.problem(in: metadata) {
        throw RPCError(code: .internalError, message: problem)
      }
      if let name = metadata[stringValues: "grpc-encoding"].first(where: { _ in true }) {
        guard let chosen = MessageEncoding(rawValue: name) else {
          throw RPCError(code: .internalError, message: "there is no encoding '\(name)'")
        }
        encoding = head.acceptedEncodings.contains(chosen) ? chosen : .identity
      }
      response.metadata(metadata)
    case .message(let message):
      try frame(message)
      response.message()
    case .status(let status, let metadata):
      if let problem = ReservedMetadata.problem(in: metadata) {
        // The status must not get lost for the sake of what comes with it.
        response.status(Status(code: .internalError, message: problem), [:])
      } else {
        response.status(status, metadata)
      }
      returnWindow(heldWindow)
    }
    connection.submitLater(self)
  }

  private func frame(_ message: MessageBytes) throws {
    if message.isFramed, encoding == .identity {
      output.writeBytes(message.bytes)
      return
    }
    if message.isFramed {
      for part in message.frames { try frame(part) }
      return
    }
    guard message.count <= configuration.maxSendMessageSize else {
      throw RPCError(
        code: .resourceExhausted,
        message:
          "a response of \(message.count) bytes is larger than the limit of \(configuration.maxSendMessageSize)"
      )
    }
    let start = output.writerIndex
    if encoding != .identity, message.isCompressed {
      output.writeRepeatingByte(0, count: MessageDeframer.prefixLength)
      if Zlib.deflate(message.bytes, to: encoding, into: &output) {
        let length = output.writerIndex - start - MessageDeframer.prefixLength
        output.setInteger(UInt8(1), at: start)
        output.setInteger(UInt32(length), at: start + 1)
        return
      }
      output.moveWriterIndex(to: start)
    }
    output.writeInteger(UInt8(0))
    output.writeInteger(UInt32(message.count))
    output.writeBytes(message.bytes)
  }

  /// The encoding that the response's headers name.
  var responseEncoding: MessageEncoding { encoding }
}

/// One wait of a handler, by which its cancellation finds it.
private final class Wait: Sendable {
  let isCancelled = Atomic(false)
}

/// The request, as GRPCCore reads it.
struct RequestParts: AsyncSequence, Sendable {
  typealias Element = ServerStream.Part
  typealias Failure = any Error

  let stream: ServerStream

  struct AsyncIterator: AsyncIteratorProtocol {
    let stream: ServerStream

    func next() async throws -> Element? { try await stream.nextPart() }

    func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> Element? {
      try await stream.nextPart()
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

/// The response, as GRPCCore writes it.
struct ResponseWriter: ClosableRPCWriterProtocol {
  typealias Element = RPCResponsePart<MessageBytes>

  let stream: ServerStream

  func write(_ element: Element) async throws { try await stream.write(element) }

  func write(contentsOf elements: some Sequence<Element>) async throws {
    try await stream.write(contentsOf: elements)
  }

  func finish() async {}

  func finish(throwing error: any Error) async {}
}
