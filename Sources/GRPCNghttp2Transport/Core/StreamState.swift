import GRPCCore
import NIOCore

/// A call on its stream, as a value: the messages that have arrived and wait for the handler, and what the handler has
/// written and waits for the wire. ``ConnectionCore`` tells it what happens, and does what that means for the connection.
struct StreamState {
  /// What the client has sent.
  enum Request {
    /// More may come.
    case open
    /// The client has ended its side.
    case ended
    /// It breaks the protocol or exceeds a limit; messages that wait are dropped. `hasEnded` tells whether the client has
    /// ended its side.
    case failed(RPCError, hasEnded: Bool)

    /// Whether the client has ended its side.
    var hasEnded: Bool {
      switch self {
      case .open, .failed(_, hasEnded: false): false
      case .ended, .failed(_, hasEnded: true): true
      }
    }

    /// What is wrong with it; nil while nothing is.
    var failure: RPCError? { if case .failed(let error, _) = self { error } else { nil } }

    /// Whether the server might go on reading it.
    var isOpen: Bool { if case .open = self { true } else { false } }
  }

  /// Who answers the call.
  enum Stage {
    /// Its header block is not complete.
    case arriving
    /// The header block is accepted; the call is to begin.
    case accepted
    /// The header block is refused; the call is to end with a status, and with the HTTP status that is not 200.
    case rejected(CallFault, httpStatus: Int)
    /// The request is not a gRPC request, and is answered in HTTP once it has ended.
    case http(status: Int, message: String)
    /// It waits for what its handler needs to begin: its request, or room for its responses.
    case pending
    /// A task answers it.
    case handler
    /// An inline method takes its messages, now or when the next comes.
    case taken(isBusy: Bool)
    /// An inline method answers it without a task.
    case stream
    /// It is answered, or its task has ended.
    case done
  }

  /// What is left of it.
  enum Life {
    case live
    /// Its work is cancelled; a status may still be sent.
    case cancelled
    /// It is over, but nghttp2 has not closed the stream.
    case over
    /// nghttp2 has closed the stream, and a task still runs.
    case closed
  }

  /// Where the connection has noted it.
  struct Notes: OptionSet {
    let rawValue: UInt8
    /// To be told what has arrived.
    static let delivery = Notes(rawValue: 1)
    /// To have its frames submitted.
    static let submission = Notes(rawValue: 2)
    /// Waits for room for responses.
    static let room = Notes(rawValue: 4)
    /// Waits for the end of another call's task.
    static let task = Notes(rawValue: 8)
    /// Its bytes have left for the wire.
    static let sent = Notes(rawValue: 16)
  }

  let id: Int32
  var head: RequestHead
  /// The method of a call that is accepted.
  private(set) var method: Method?
  var stage = Stage.arriving
  var life = Life.live
  var request = Request.open
  var response = ResponseState()
  var notes: Notes = []
  var times = StreamTimes()
  var account = StreamAccount()

  var deframer: MessageDeframer
  /// Bytes of DATA that have come, of which `content-length` may have told.
  private var bodyLength = 0
  var messagesReceived = 0
  /// Whether the handler has been given the metadata.
  var headIsDelivered = false
  /// Whether the header fields are kept.
  private var keepsHead = true
  /// Whether a handler waits for the next part.
  var readerWaits = false
  var output: ByteBuffer
  /// How response messages are compressed.
  var encoding = MessageEncoding.identity
  /// Whether handlers wait for room to write.
  var writersWait = false

  /// A call whose header block begins, with buffers that are empty.
  init(_ id: Int32, memory: consuming StreamMemory, maxHeaderListSize: Int) {
    self.id = id
    head = RequestHead(maxListSize: maxHeaderListSize, fields: memory.fields)
    deframer = MessageDeframer(maxLength: 0, buffer: memory.request)
    output = memory.response
  }

  /// Whether the request may have any number of messages.
  var takesManyMessages: Bool { method?.takesManyMessages ?? true }

  /// Whether the call is over, whatever its task does.
  var isOver: Bool {
    switch life {
    case .live, .cancelled: false
    case .over, .closed: true
    }
  }

  /// Whether a task works on the call.
  var hasTask: Bool {
    switch stage {
    case .handler, .taken(isBusy: true): true
    default: false
    }
  }

  /// Whether ``Connection`` keeps something for the call, and has to hear of its end.
  var hasCall: Bool {
    switch stage {
    case .handler, .taken, .stream: true
    default: false
    }
  }

  /// Bytes that the call's task would add to the connection's memory.
  func costOfTask(maxHeaderListSize: Int) -> Int {
    if case .taken = stage { return StreamAccount.taker }
    return StreamAccount.handler + headerBytes(maxHeaderListSize)
  }

  /// Header fields that are beyond the limit are counted, and not kept.
  private func headerBytes(_ maxHeaderListSize: Int) -> Int {
    keepsHead ? min(head.listSize, maxHeaderListSize) : 0
  }

  /// Has `memory` count what the call holds now, but for what the connection's window covers and what waits to be sent,
  /// which are counted on their own.
  mutating func settle(_ memory: inout ConnectionMemory, maxHeaderListSize: Int) {
    var others = isOver ? 0 : headerBytes(maxHeaderListSize)
    if hasTask {
      others += costOfTask(maxHeaderListSize: maxHeaderListSize) + account.costInHand
    } else if case .taken = stage {
      others += StreamAccount.waiting
    }
    let incomplete = isOver ? 0 : max(0, deframer.bufferedBytes - account.heldWindow)
    account.settle(incomplete: incomplete, others: others, &memory)
  }

  /// Keeps nothing more of the header fields.
  mutating func dropHead() {
    _ = head.takeFields()
    keepsHead = false
  }

  /// A call that waits keeps no large buffers of what it had to do before.
  mutating func giveBackMemory() {
    deframer.giveBackMemory(beyond: StreamAccount.smallMessage)
    if output.readableBytes == 0, output.capacity > StreamAccount.smallMessage { output = ByteBuffer() }
  }

  /// Whether messages wait, or the end of the request.
  var hasPart: Bool { deframer.completeMessages > 0 || !request.isOpen }

  // MARK: The request

  /// The header block is complete.
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

  /// Counts bytes of DATA. Returns whether the request has as many as it said, so far.
  mutating func count(_ bytes: Int) -> Bool {
    bodyLength += bytes
    return bodyLength <= head.contentLength ?? .max
  }

  /// Whether what has come is as long as `content-length` said.
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
    guard !isOver, request.failure == nil, !response.hasStatus, method != nil else {
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
        RPCError(code: .unimplemented, message: "the method takes one message, and more have come"))
    }
    return .kept
  }

  /// The client has ended its side. Returns what fails the request, if anything does.
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
      return RPCError(code: .unimplemented, message: "the method takes one message, and none has come")
    }
    return nil
  }

  /// The request ends with `error`; messages that nobody has taken go with it.
  mutating func fail(_ error: RPCError) {
    request = .failed(error, hasEnded: request.hasEnded)
    if deframer.bufferedBytes > 0 { deframer.removeAll() }
  }

  /// The message in `frame`, inflated if it is compressed.
  ///
  /// - Throws: `RPCError` for bytes that are not a message of the call's encoding, or inflate to more than the limit.
  func inflate(_ frame: MessageDeframer.Frame) throws(RPCError) -> MessageBytes {
    guard frame.isCompressed else { return MessageBytes(frame.bytes, isCompressed: false) }
    return MessageBytes(
      try Zlib.inflate(frame.bytes, from: head.encoding, maxLength: deframer.maxLength), isCompressed: true)
  }

  /// Whether the client is waited for, and nothing else.
  private var awaitsClient: Bool {
    if notes.contains(.room) { return false }
    if case .taken(isBusy: false) = stage { return deframer.completeMessages == 0 }
    return readerWaits
  }

  /// Sets until when the client must have sent what is waited for: a message that has begun, or the whole request where it
  /// is one message.
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

  /// Takes the status of the response, and INTERNAL in its place if metadata must not have what is in `metadata`.
  mutating func setStatus(_ status: Status, _ metadata: Metadata, _ configuration: HTTP2Configuration) {
    if let problem = ReservedMetadata.problem(in: metadata) {
      // The status must not get lost for the sake of what comes with it.
      let fault = CallFault(.handlerFailure, .internalError, problem)
      response.status(Status(fault), configuration.faultDetails(fault))
    } else {
      response.status(status, metadata)
    }
  }

  /// The next frame of the response, which counts as submitted from now on.
  mutating func nextFrame(sendTimeout: TimeAmount, now: NIODeadline) -> ResponseState.Frame? {
    let frame = response.nextFrame(buffered: output.readableBytes, encoding)
    if case .data = frame { times.awaitSending(timeout: sendTimeout, now: now) }
    return frame
  }

  /// How many bytes of DATA there are, at most `limit`, and whether these are all.
  mutating func dataWanted(atMost limit: Int) -> (count: Int, isLast: Bool) {
    let count = min(limit, output.readableBytes)
    let isLast = count == output.readableBytes
    if isLast { response.dataSubmitted() }
    return (count, isLast)
  }

  /// Moves `count` bytes of the response to the end of `buffer`. A buffer that was larger than `largest` bytes is not kept.
  mutating func moveOutput(_ count: Int, to buffer: inout ByteBuffer, largest: Int) {
    times.sent(count)
    output.readWithUnsafeReadableBytes { bytes in
      buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
      return min(count, bytes.count)
    }
    if output.readableBytes == 0 {
      if output.capacity > largest { output = ByteBuffer() } else { output.clear() }
    }
  }

  /// The buffers, for another call. A task may ask for its metadata even now.
  mutating func takeMemory() -> StreamMemory {
    StreamMemory(
      fields: hasTask ? RequestFields() : head.takeFields(), request: deframer.takeBuffer(),
      response: exchange(&output, with: ByteBuffer()))
  }
}
