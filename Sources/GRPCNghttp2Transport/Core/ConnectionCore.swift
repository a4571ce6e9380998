import GRPCCore
import NIOCore

/// The decisions of one HTTP/2 connection, as a value without socket, nghttp2 or tasks. It receives events, and
/// returns in ``nextAction()`` the actions to perform, in order.
///
/// Events: bytes and frames arrive (`ConnectionCore+Frames`), calls read and write (`ConnectionCore+Calls`,
/// `+Responses`), frames are sent (`+Output`), time passes (`+Time`), and the server ends the connection (`+End`).
struct ConnectionCore {
  let configuration: HTTP2Configuration
  let receiveTimeout: TimeAmount
  let sendTimeout: TimeAmount
  let methods: MethodTable
  let pool: StreamMemoryPool
  let deflater: Deflater
  var streams = StreamTable()
  var memory: ConnectionMemory
  var gate: FrameGate
  var lifetime: ConnectionLifetime
  var now: NIODeadline

  var notes = NoteList()
  /// Bytes of the connection's window that are due to be returned.
  var windowToReturn = 0
  /// Streams that wait for room in the output, in the order in which they resume.
  var waitingForRoom = RoomQueue()
  /// Streams that wait for a task of another call to end.
  var waitingForTasks: [Int32] = []
  /// The number of running tasks, and of those that take messages of requests, which are short.
  var tasks = 0
  var takers = 0

  /// The header block being decoded.
  var block = HeaderBlockInput.none
  var listSize = HeaderListSize()
  /// The frames to write to the socket, and the most bytes to gather.
  var output = ByteBuffer()
  var outputLimit = 0

  /// The time by which the client's SETTINGS must arrive.
  let startBy: NIODeadline
  /// The earliest timed event of a stream; `distantFuture` means never.
  var streamWakeup = NIODeadline.distantFuture
  /// The time since which there are no streams; nil while there are, and once their slots are released.
  var idleSince: NIODeadline?
  /// Whether room has become free, or ``wakeup`` has become earlier, since the last turn.
  var needsTurn = false
  /// When ``timePassed(now:)`` has something to do, as far as that was known when the last turn ended.
  var wakeup: NIODeadline
  /// The last stream that the final GOAWAY permits.
  var lastStream: Int32?
  var end = End()

  /// The state of the connection's end.
  struct End {
    /// The connection error that ends it, if any.
    var fault: ConnectionFault?
    /// The error with which nghttp2 has ended it, if any.
    var sessionFault: ConnectionFault?
    /// Whether to close it once all output is sent.
    var mustClose = false
    /// Whether its socket is closed.
    var isLost = false
  }

  /// Creates the core of a connection that starts at `now`.
  ///
  /// - Parameter jitter: the relative variation of its maximum age, from -0.1 to 0.1.
  init(
    _ configuration: HTTP2Configuration, methods: MethodTable, budget: MemoryBudget, pool: StreamMemoryPool,
    deflater: Deflater, idleTime: IdleTime? = nil, jitter: Double, now: NIODeadline
  ) {
    self.configuration = configuration
    receiveTimeout = TimeAmount(configuration.receiveTimeout)
    sendTimeout = TimeAmount(configuration.sendTimeout)
    self.methods = methods
    self.pool = pool
    self.deflater = deflater
    self.now = now
    memory = ConnectionMemory(configuration, largestMessage: methods.largestMessage, budget: budget)
    gate = FrameGate(configuration, now: now)
    lifetime = ConnectionLifetime(configuration.keepalive, jitter: jitter, now: now)
    lifetime.idleTime = idleTime
    startBy = now + TimeAmount(configuration.connectionTimeout)
    wakeup = startBy
    updateWakeup()
  }

  // MARK: Pending work

  /// Whether ``nextAction()`` may return an action.
  var hasWork: Bool { !notes.isEmpty }

  /// Whether the connection needs a turn: for work, for freed room, or for an earlier ``wakeup``.
  var wantsTurn: Bool { hasWork || needsTurn }

  mutating func push(_ note: ConnectionNote) { notes.append(note) }

  mutating func push(_ action: ConnectionAction) { notes.append(.action(action)) }

  /// Notes that frames of the response, or window to return, may be due.
  mutating func submit(_ slot: Int) {
    guard streams.slots[slot].notes.insert(.submission).inserted else { return }
    push(.submit(streams.slots[slot].id))
  }

  /// Notes that a part of the request has arrived.
  mutating func touch(_ slot: Int) {
    if case .accepted = streams.slots[slot].stage { return }
    guard streams.slots[slot].notes.insert(.delivery).inserted else { return }
    push(.deliver(streams.slots[slot].id))
  }

  /// Adds `count` bytes to the connection's window to return.
  mutating func owe(_ count: Int) {
    guard count > 0 else { return }
    if windowToReturn == 0 { push(.returnWindow) }
    windowToReturn += count
  }

  /// Returns the window of `count` bytes that were read.
  mutating func returnWindow(_ slot: Int, _ count: Int) {
    guard count > 0 else { return }
    streams.slots[slot].account.heldWindow -= count
    memory.unread -= count
    owe(count)
    // A half-closed client sends no more DATA, so its stream needs no window.
    if streams.slots[slot].request.hasEnded { return }
    streams.slots[slot].account.windowToReturn += count
    submit(slot)
  }

  /// Updates the connection's memory account with what the call holds.
  mutating func settle(_ slot: Int) {
    streams.slots[slot].settle(&memory, maxHeaderListSize: configuration.maxHeaderListSize)
  }

  /// Reserves `count` bytes of the connection's memory for responses of the call.
  mutating func expect(_ slot: Int, _ count: Int) {
    if streams.slots[slot].account.expect(count, &memory), !waitingForRoom.isEmpty { needsTurn = true }
  }

  // MARK: Time

  /// Schedules the next timed event of the call.
  mutating func noteWakeup(_ slot: Int) {
    let next = streams.slots[slot].times.next
    guard next < streamWakeup else { return }
    streamWakeup = next
    needsTurn = true
  }

  /// Sets the deadline of the call, if its client has requested one.
  mutating func noteDeadline(_ slot: Int) {
    guard let timeout = streams.slots[slot].head.timeout, streams.slots[slot].times.deadline == .distantFuture
    else { return }
    streams.slots[slot].times.deadline = now + timeout
    noteWakeup(slot)
  }

  /// Updates the time by which the client must send the awaited data.
  mutating func updateReceiveTime(_ slot: Int) {
    streams.slots[slot].updateReceiveTime(timeout: receiveTimeout, now: now)
    noteWakeup(slot)
  }

  /// Returns `fault` as an error for a handler.
  func error(_ fault: CallFault) -> RPCError {
    RPCError(code: fault.code, message: fault.message, metadata: configuration.faultDetails(fault))
  }

  // MARK: The end

  /// Ends the connection with an error, unless it already ends with one.
  mutating func fail(_ code: HTTP2ErrorCode, _ reason: String) { fail(ConnectionFault(code, reason)) }

  mutating func fail(_ fault: ConnectionFault) {
    guard end.fault == nil else { return }
    end.fault = fault
    end.mustClose = true
    push(.goAwayFor(fault))
  }

  /// Releases the connection's memory account; nothing uses the connection any more.
  mutating func finish() {
    memory.release()
    push(.ended)
  }
}
