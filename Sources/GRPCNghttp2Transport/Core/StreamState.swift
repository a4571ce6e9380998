import GRPCCore
import NIOCore

/// A call on its stream, as a value: received messages that wait for the handler, and its output that waits to be
/// sent. ``ConnectionCore`` passes it events and applies their effects to the connection.
struct StreamState {
  /// The state of the client's side.
  enum Request {
    /// The client may send more.
    case open
    /// The client has half-closed the stream.
    case ended
    /// The request violates the protocol or a limit; buffered messages are dropped. `hasEnded` states whether the
    /// client has half-closed the stream.
    case failed(RPCError, hasEnded: Bool)

    /// Whether the client has half-closed the stream.
    var hasEnded: Bool {
      switch self {
      case .open, .failed(_, hasEnded: false): false
      case .ended, .failed(_, hasEnded: true): true
      }
    }

    /// The error of a failed request, or nil.
    var failure: RPCError? { if case .failed(let error, _) = self { error } else { nil } }

    /// Whether the request may continue.
    var isOpen: Bool { if case .open = self { true } else { false } }
  }

  /// How the call is answered.
  enum Stage {
    /// The header block is incomplete.
    case arriving
    /// The header block is accepted; the call is about to start.
    case accepted
    /// The header block is refused; the call ends with a status, and with this HTTP status.
    case rejected(CallFault, httpStatus: Int)
    /// The request is not a gRPC request; it receives an HTTP response once it has ended.
    case http(status: Int, message: String)
    /// The call waits for its whole request, or for room for its responses.
    case pending
    /// A task answers the call.
    case handler
    /// An inline method takes the messages; `isBusy` states whether a task is doing so.
    case taken(isBusy: Bool)
    /// An inline method answers the call without a task.
    case stream
    /// The call is answered, or its task has ended.
    case done
  }

  /// The lifetime of a call.
  enum Life {
    case live
    /// The work is cancelled; a status may still be sent.
    case cancelled
    /// The call has ended, but nghttp2 has not closed the stream.
    case ended
    /// nghttp2 has closed the stream; a task still runs.
    case closed
  }

  /// The lists of the connection that contain the call.
  struct Notes: OptionSet {
    let rawValue: UInt8
    /// To be told of received data.
    static let delivery = Notes(rawValue: 1)
    /// To submit frames.
    static let submission = Notes(rawValue: 2)
    /// Waits for room for responses.
    static let room = Notes(rawValue: 4)
    /// Waits for the end of another call's task.
    static let task = Notes(rawValue: 8)
    /// Bytes were sent.
    static let sent = Notes(rawValue: 16)
    /// Has work to do without another message.
    static let work = Notes(rawValue: 32)
  }

  let id: Int32
  var head: RequestHead
  /// The method of an accepted call.
  private(set) var method: Method?
  var stage = Stage.arriving
  var life = Life.live
  var request = Request.open
  var response = ResponseState()
  var notes: Notes = []
  var times = StreamTimes()
  var account = StreamAccount()

  var deframer: MessageDeframer
  /// The bytes of DATA received so far, to compare with `content-length`.
  private var bodyLength = 0
  var messagesReceived = 0
  /// Whether the handler has received the metadata.
  var headIsDelivered = false
  /// Whether the header fields are kept.
  private var keepsHead = true
  /// Whether a handler waits for the next part.
  var readerWaits = false
  var output: ByteQueue
  /// The compression of response messages.
  var encoding = MessageEncoding.identity
  /// Whether handlers wait for room to write.
  var writersWait = false

  /// Creates a call whose header block starts, with empty buffers.
  init(_ id: Int32, memory: consuming StreamMemory, maxHeaderListSize: Int) {
    self.id = id
    head = RequestHead(maxListSize: maxHeaderListSize, fields: memory.fields)
    deframer = MessageDeframer(maxLength: 0, buffer: memory.request)
    output = memory.response
  }

  /// Whether the request may have any number of messages.
  var takesManyMessages: Bool { method?.takesManyMessages ?? true }

  /// Whether the call has ended, even if its task still runs.
  var hasEnded: Bool {
    switch life {
    case .live, .cancelled: false
    case .ended, .closed: true
    }
  }

  /// Whether a task processes the call.
  var hasTask: Bool {
    switch stage {
    case .handler, .taken(isBusy: true): true
    default: false
    }
  }

  /// Whether ``Connection`` has state for the call and must be told when it ends.
  var hasCall: Bool {
    switch stage {
    case .handler, .taken, .stream: true
    default: false
    }
  }

  /// Returns the bytes that the call's task would add to the connection's memory account.
  func costOfTask(maxHeaderListSize: Int) -> Int {
    if case .taken = stage { return StreamAccount.taker }
    return StreamAccount.handler + headerBytes(maxHeaderListSize)
  }

  /// The counted bytes of header fields; fields beyond the limit are not kept.
  private func headerBytes(_ maxHeaderListSize: Int) -> Int {
    keepsHead ? min(head.listSize, maxHeaderListSize) : 0
  }

  /// Updates `memory` with what the call holds. The connection's window and the queued output are counted separately.
  mutating func settle(_ memory: inout ConnectionMemory, maxHeaderListSize: Int) {
    var others = hasEnded ? 0 : headerBytes(maxHeaderListSize)
    if hasTask {
      others += costOfTask(maxHeaderListSize: maxHeaderListSize) + account.costInHand
    } else if case .taken = stage {
      others += StreamAccount.waiting
    }
    let incomplete = hasEnded ? 0 : max(0, deframer.bufferedBytes - account.heldWindow)
    account.settle(incomplete: incomplete, others: others, &memory)
  }

  /// Drops the header fields.
  mutating func dropHead() {
    _ = head.takeFields()
    keepsHead = false
  }

  /// Releases large buffers while the call waits.
  mutating func giveBackMemory() {
    deframer.giveBackMemory(beyond: StreamAccount.smallMessage)
    if output.isEmpty { output.removeAll(keepingAtMost: StreamAccount.smallMessage) }
  }

  /// Whether a message or the end of the request is available.
  var hasPart: Bool { deframer.completeMessages > 0 || !request.isOpen }

  // MARK: The request

  /// Records that the header block is complete.
  mutating func headersReceived() {
    switch head.verdict() {
    case .accept(let method):
      self.method = method
      stage = .accepted
    case .fail(let fault): stage = .rejected(fault, httpStatus: 200)
    case .malformed(let message): stage = .rejected(.malformed(.internalError, message), httpStatus: 400)
    case .refuse(let status, let message): stage = .http(status: status, message: message)
    }
    deframer.begin(
      maxLength: method?.maxReceiveMessageSize ?? 0, permitsCompression: head.encoding != .identity)
  }

  /// Counts bytes of DATA. Returns whether they are within `content-length`.
  mutating func count(_ bytes: Int) -> Bool {
    bodyLength += bytes
    return bodyLength <= head.contentLength ?? .max
  }

  /// Whether the received DATA is as long as `content-length`, if given.
  var isWhole: Bool { bodyLength == head.contentLength ?? bodyLength }

  /// What becomes of bytes of DATA.
  enum Receipt {
    /// They wait to be read.
    case kept
    /// Nothing will read them, and their window is to be returned.
    case dropped
    /// The request fails.
    case failed(RPCError)
  }

  /// Takes bytes of DATA.
  mutating func receive(_ bytes: UnsafeRawBufferPointer) -> Receipt {
    guard !hasEnded, request.failure == nil, !response.hasStatus, method != nil else {
      account.windowToReturn += bytes.count
      return .dropped
    }
    account.heldWindow += bytes.count
    let before = deframer.completeMessages
    do throws(RPCError) {
      try deframer.receive(bytes)
    } catch {
      return .failed(error)
    }
    messagesReceived += deframer.completeMessages - before
    if !takesManyMessages, messagesReceived > 1 {
      return .failed(
        RPCError(code: .unimplemented, message: "the method takes one message, but more were sent"))
    }
    return .kept
  }

  /// Records that the client has half-closed the stream. Returns the error that fails the request, if any.
  mutating func requestEnded() -> RPCError? {
    if case .failed(let error, _) = request {
      request = .failed(error, hasEnded: true)
      return nil
    }
    request = .ended
    if case .http = stage { return nil }
    if deframer.isIncomplete {
      return RPCError(code: .internalError, message: "the request ends within a message")
    }
    if !takesManyMessages, messagesReceived == 0 {
      return RPCError(code: .unimplemented, message: "the method takes one message, but none was sent")
    }
    return nil
  }

  /// Fails the request with `error`, and drops the messages that were not taken.
  mutating func fail(_ error: RPCError) {
    request = .failed(error, hasEnded: request.hasEnded)
    if deframer.bufferedBytes > 0 { deframer.removeAll() }
  }

  /// Returns the message in `frame`, inflated if it is compressed.
  ///
  /// - Throws: `RPCError` for bytes that are invalid in the call's encoding, or inflate to more than the limit.
  func inflate(_ frame: MessageDeframer.Frame) throws(RPCError) -> MessageBytes {
    guard frame.isCompressed else { return MessageBytes(frame.bytes, isCompressed: false) }
    return MessageBytes(
      try Zlib.inflate(frame.bytes, from: head.encoding, maxLength: deframer.maxLength), isCompressed: true)
  }

  /// Returns the message for an inline method; nil if it cannot be read. A method that takes many messages gets an
  /// empty one.
  ///
  /// Mutating, so that the deframer is not copied.
  mutating func inlineMessage(_ method: InlineMethod.Answer) -> ArraySlice<UInt8>? {
    if case .requests = method { return [] }
    if let message = deframer.plainMessage { return message }
    // A compressed message is at most as long as the method's limit. One that cannot be inflated is left to the
    // handler, which reports it.
    guard let frame = deframer.peek(), let message = try? inflate(frame) else { return nil }
    return message.bytes[...]
  }

  /// Whether the call waits only for the client.
  private var awaitsClient: Bool {
    if notes.contains(.room) { return false }
    if case .taken(isBusy: false) = stage { return deframer.completeMessages == 0 }
    return readerWaits
  }

  /// Updates the time by which the client must send the awaited data: the rest of a message, or the whole of a
  /// request with one message.
  mutating func updateReceiveTime(timeout: TimeAmount, now: NIODeadline) {
    let isWholeRequest = !takesManyMessages
    if request.isOpen, !response.hasStatus, isWholeRequest || (deframer.isIncomplete && awaitsClient) {
      times.awaitRequest(
        messages: messagesReceived, missing: deframer.missingBytes, isWholeRequest: isWholeRequest,
        timeout: timeout, now: now)
    } else {
      times.stopAwaiting(isWholeRequest: isWholeRequest)
    }
  }

  // MARK: The response

  /// Sets the status of the response. If `metadata` contains reserved names, the status is INTERNAL instead.
  mutating func setStatus(_ status: Status, _ metadata: Metadata, _ configuration: HTTP2Configuration) {
    if let problem = ReservedMetadata.problem(in: metadata) {
      // Invalid metadata must not suppress the status.
      let fault = CallFault(.handlerFailure, .internalError, problem)
      response.status(Status(fault), configuration.faultDetails(fault))
    } else {
      response.status(status, metadata)
    }
  }

  /// Returns the window that is due to be returned, then the next frame of the response, which then counts as submitted.
  mutating func nextSubmission(sendTimeout: TimeAmount, now: NIODeadline) -> ConnectionAction? {
    let window = exchange(&account.windowToReturn, with: 0)
    if window > 0 { return .returnStreamWindow(id, window) }
    guard !hasEnded, let frame = response.nextFrame(buffered: output.count, encoding) else {
      notes.remove(.submission)
      return nil
    }
    if case .data = frame { times.awaitSending(timeout: sendTimeout, now: now) }
    return .send(id, frame)
  }

  /// Returns how many bytes of DATA there are, at most `limit`, and whether they are all.
  mutating func dataWanted(atMost limit: Int) -> (count: Int, isLast: Bool) {
    let count = min(limit, output.count)
    let isLast = count == output.count
    if isLast { response.dataSubmitted() }
    return (count, isLast)
  }

  /// Moves `count` bytes of the response to the end of `buffer`. A buffer larger than `largest` bytes is released.
  mutating func moveOutput(_ count: Int, to buffer: inout ByteBuffer, largest: Int) {
    times.sent(count)
    output.withUnsafeBytes { _ = buffer.writeBytes(UnsafeRawBufferPointer(rebasing: $0.prefix(count))) }
    output.removeFirst(count)
    if output.isEmpty { output.removeAll(keepingAtMost: largest) }
  }

  /// Takes the buffers for another call. A running task keeps the header fields, because it may still read its
  /// metadata.
  mutating func takeMemory() -> StreamMemory {
    StreamMemory(
      fields: hasTask ? RequestFields() : head.takeFields(), request: deframer.takeBuffer(),
      response: exchange(&output, with: ByteQueue()))
  }
}
