import GRPCCore
import NIOCore

/// The decisions of one HTTP/2 connection, as a value: it is told what has happened, and says in ``nextAction()`` what is to
/// be done, in order. It knows no socket, no nghttp2 and no task.
///
/// What may happen: bytes and frames arrive (`ConnectionCore+Frames`), calls read and write (`ConnectionCore+Calls`,
/// `+Responses`), frames leave (`+Output`), time passes (`+Time`), and the server ends the connection (`+End`).
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
  /// Bytes of the connection's window that are to be returned.
  var windowToReturn = 0
  /// Streams that wait until more has been sent, in the order in which they go on.
  var waitingForRoom = RoomQueue()
  /// Streams that go on when tasks of others have ended.
  var waitingForTasks: [Int32] = []
  /// Tasks that run, and those of them that take messages of requests, which end soon.
  var tasks = 0
  var takers = 0

  /// The header block that is being decoded.
  var block = HeaderBlockInput.none
  var listSize = HeaderListSize()
  /// Bytes of DATA and frames that are to be written to the socket, and how many may be gathered.
  var output = ByteBuffer()
  var outputLimit = 0

  /// When the client's SETTINGS must have come.
  let startBy: NIODeadline
  /// The earliest time at which a stream has something to do; `distantFuture` is never.
  var streamWakeup = NIODeadline.distantFuture
  /// Since when there are no streams; nil while there are, and once their slots are given back.
  var idleSince: NIODeadline?
  /// Whether room has become free, or ``wakeup`` is earlier, since the last turn.
  var needsTurn = false
  /// When ``timePassed(now:)`` has something to do, as far as that was known when the last turn ended.
  var wakeup: NIODeadline
  /// The last stream that the final GOAWAY permits.
  var lastStream: Int32?
  var end = End()

  /// How the connection ends.
  struct End {
    /// Why it ends, if it ends for a fault.
    var fault: ConnectionFault?
    /// Why nghttp2 has ended it, if it has.
    var sessionFault: ConnectionFault?
    /// Whether it is to be closed once everything has been sent.
    var mustClose = false
    /// Whether its socket is gone.
    var isLost = false
  }

  /// The core of a connection that begins at `now`.
  ///
  /// - Parameter jitter: -0.1 to 0.1, by which its greatest age differs.
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

  // MARK: What is to be done

  /// Whether ``nextAction()`` has something.
  var hasWork: Bool { !notes.isEmpty }

  /// Whether the connection has to have a turn: for work, for room that has become free, or for an earlier ``wakeup``.
  var wantsTurn: Bool { hasWork || needsTurn }

  mutating func push(_ note: ConnectionNote) { notes.append(note) }

  mutating func push(_ action: ConnectionAction) { notes.append(.action(action)) }

  /// Frames of the response may be due, or window to return.
  mutating func submit(_ slot: Int) {
    guard streams[slot].notes.insert(.submission).inserted else { return }
    push(.submit(streams[slot].id))
  }

  /// Something of the request has arrived.
  mutating func touch(_ slot: Int) {
    if case .accepted = streams[slot].stage { return }
    guard streams[slot].notes.insert(.delivery).inserted else { return }
    push(.deliver(streams[slot].id))
  }

  /// `count` bytes of the connection's window are to be returned.
  mutating func owe(_ count: Int) {
    guard count > 0 else { return }
    if windowToReturn == 0 { push(.returnWindow) }
    windowToReturn += count
  }

  /// `count` bytes have been read: their window is to be returned.
  mutating func returnWindow(_ slot: Int, _ count: Int) {
    guard count > 0 else { return }
    streams[slot].account.heldWindow -= count
    memory.unread -= count
    owe(count)
    // A half-closed client sends no more DATA, so its stream needs no window.
    if streams[slot].request.hasEnded { return }
    streams[slot].account.windowToReturn += count
    submit(slot)
  }

  /// Has the connection's memory count what the call holds now.
  mutating func settle(_ slot: Int) {
    streams[slot].settle(&memory, maxHeaderListSize: configuration.maxHeaderListSize)
  }

  /// Has the connection's memory leave room for `count` bytes of the call's responses.
  mutating func expect(_ slot: Int, _ count: Int) {
    if streams[slot].account.expect(count, &memory), !waitingForRoom.isEmpty { needsTurn = true }
  }

  // MARK: Time

  /// The call has something to do at a time of its own.
  mutating func noteWakeup(_ slot: Int) {
    let next = streams[slot].times.next
    guard next < streamWakeup else { return }
    streamWakeup = next
    needsTurn = true
  }

  /// Notes when the call has to have ended, if its client has said so.
  mutating func noteDeadline(_ slot: Int) {
    guard let timeout = streams[slot].head.timeout, streams[slot].times.deadline == .distantFuture
    else { return }
    streams[slot].times.deadline = now + timeout
    noteWakeup(slot)
  }

  /// Notes until when the client must have sent what is waited for.
  mutating func updateReceiveTime(_ slot: Int) {
    streams[slot].updateReceiveTime(timeout: receiveTimeout, now: now)
    noteWakeup(slot)
  }

  /// `fault` as a handler sees it.
  func error(_ fault: CallFault) -> RPCError {
    RPCError(code: fault.code, message: fault.message, metadata: configuration.faultDetails(fault))
  }

  // MARK: The end

  /// The connection ends for a fault, if it does not yet.
  mutating func fail(_ code: HTTP2ErrorCode, _ reason: String) { fail(ConnectionFault(code, reason)) }

  mutating func fail(_ fault: ConnectionFault) {
    guard end.fault == nil else { return }
    end.fault = fault
    end.mustClose = true
    push(.goAwayFor(fault))
  }

  /// Nothing is left of the connection.
  mutating func finish() {
    memory.release()
    push(.ended)
  }
}
