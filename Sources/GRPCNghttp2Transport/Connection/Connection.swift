import GRPCCore
import NIOCore

/// One HTTP/2 connection without its socket: bytes in, bytes out, time passes.
///
/// It is confined to its event loop. Callbacks of nghttp2 take notes; ``receive(_:now:)`` and
/// ``produce(upTo:now:)`` act on them once nghttp2 has returned.
///
/// What every frame changes, here and in ``ServerStream`` and ``LoopExecutor``, is `@exclusivity(unchecked)`: that no two
/// accesses of it overlap (SE-0176) is not checked while the program runs, which costs a tenth of a small call. On one
/// thread they overlap only where a mutating method of a property calls somebody who uses the property; those of these
/// call nobody, or a closure that has a buffer and no way back. `session` and `frames`, whose methods do call back, are
/// checked.
final class Connection {
  typealias StreamHandler =
    @concurrent @Sendable (
      RPCStream<Nghttp2ServerTransport.Inbound, Nghttp2ServerTransport.Outbound>, ServerContext
    ) async -> Void

  /// Why a connection ends before its time.
  struct Fault: Equatable {
    let code: HTTP2Session.ErrorCode
    let reason: String
  }

  let configuration: Nghttp2ServerTransport.Configuration
  let executor: LoopExecutor
  let peer: Nghttp2ServerTransport.Peer
  let streamHandler: StreamHandler
  let methods: MethodTable
  /// Called when there may be something to send, or an earlier time to wake up.
  var onWork: () -> Void = {}
  /// Called when the connection is lost and its last handler has ended.
  var onEnd: () -> Void = {}

  /// nil before the start and after the end.
  private(set) var session: HTTP2Session?
  private var frames = FrameScanner()
  var clientStreams = ClientStreams()
  var floods: FloodGuard
  var pings: PingPolicy
  var lifetime: ConnectionLifetime

  @exclusivity(unchecked) var streams: [Int32: ServerStream] = [:]
  /// The stream that was asked for last, which mostly is the next one too.
  @exclusivity(unchecked) var current: ServerStream?
  var runningHandlers = 0
  /// Those of them that take messages of requests, which end soon.
  var requestTasks = 0
  @exclusivity(unchecked) var memory: ConnectionMemory
  /// Streams that wait until more has been sent, in the order in which they go on.
  var waiting: [ServerStream] = []
  /// Streams that go on when tasks of others have ended.
  var waitingForTasks: [ServerStream] = []
  /// Since when the first of ``waiting`` has waited, or others were last looked at for its sake.
  var waitingSince = NIODeadline.distantFuture

  // Notes of the callbacks.
  @exclusivity(unchecked) var begun: [ServerStream] = []
  @exclusivity(unchecked) var touched: [ServerStream] = []
  @exclusivity(unchecked) var closed: [ServerStream] = []
  var refused: [(id: Int32, code: HTTP2Session.ErrorCode)] = []
  var ended: [Int32] = []
  @exclusivity(unchecked) var windowToReturn = 0
  private var noticeIsAnswered = false
  private(set) var fault: Fault?
  /// Why nghttp2 has ended the connection, if it has.
  var nghttp2Fault: Fault?
  var hasSentFault = false
  /// The last stream that the final GOAWAY permits.
  var lastStream: Int32?
  /// The request whose header block is being decoded, of which there is one at a time; nil for trailers, and
  /// for streams that are refused.
  @exclusivity(unchecked) var arriving: ArrivingRequest?
  /// Whether the header block that is being decoded, if it is of trailers, breaks the rules of HTTP/2.
  var trailersAreMalformed = false
  /// The request with the highest id of which nghttp2 has told.
  @exclusivity(unchecked) var newestRequest: Int32 = 0
  /// Requests that were malformed and whose end the lifetime has not heard of.
  @exclusivity(unchecked) var abandoned = 0
  /// Bytes of the header block that is being decoded. A block this many times as large as the limit ends the
  /// connection.
  @exclusivity(unchecked) var headerListSize = 0
  static let bombFactor = 16
  var unsent: [Int32] = []
  /// Memory for a list of streams.
  @exclusivity(unchecked) private var spare: [ServerStream] = []

  /// Streams with something to submit.
  @exclusivity(unchecked) var dirty: [ServerStream] = []
  @exclusivity(unchecked) var sent: [ServerStream] = []
  @exclusivity(unchecked) var block = HeaderBlock()
  @exclusivity(unchecked) var output = ByteBuffer()
  @exclusivity(unchecked) var outputLimit = 0
  var hasPatchedSettings = false

  var now: NIODeadline
  var hasReceivedSettings = false
  let startBy: NIODeadline
  /// Since when a frame or a header block is incomplete.
  var incompleteSince: NIODeadline?
  private var isInHeaderBlock = false
  /// The earliest time at which a stream has something to do; `distantFuture` is never.
  var streamWakeup = NIODeadline.distantFuture
  var mustClose = false

  init(
    configuration: Nghttp2ServerTransport.Configuration, executor: LoopExecutor,
    peer: Nghttp2ServerTransport.Peer, methods: MethodTable, budget: MemoryBudget,
    jitter: Double = .random(in: -0.1...0.1), now: NIODeadline, streamHandler: @escaping StreamHandler
  ) {
    self.configuration = configuration
    self.executor = executor
    self.peer = peer
    self.methods = methods
    self.streamHandler = streamHandler
    memory = ConnectionMemory(configuration, largestMessage: methods.largestMessage, budget: budget)
    self.now = now
    floods = FloodGuard(configuration.floodLimits, now: now)
    pings = PingPolicy(configuration.keepalive, configuration.enforcementPolicy, now: now)
    lifetime = ConnectionLifetime(configuration.keepalive, jitter: jitter, now: now)
    startBy = now + TimeAmount(configuration.connectionTimeout)
  }

  /// How many streams nghttp2 permits. It ends the connection of a client that exceeds what SETTINGS said
  /// (nghttp2 issue 687), so SETTINGS are sent with our own limit in its place, and we refuse the excess.
  private var hardStreamLimit: UInt32 { UInt32(clamping: configuration.maxConcurrentStreams) &* 2 &+ 1_000 }

  deinit {
    memory.release()
  }

  // MARK: Start and end

  /// Begins with SETTINGS.
  func start() {
    do throws(HTTP2Session.Failure) {
      session = try HTTP2Session(self, configuration)
      try session?.submitSettings(configuration, maxConcurrentStreams: hardStreamLimit)
    } catch {
      fail(.protocolError, error.reason)
      mustClose = true
    }
    onWork()
  }

  /// Whether the connection is to be closed once what ``produce(now:)`` gave has been sent.
  var isOver: Bool { mustClose || (session?.isOver ?? true) }

  /// Lets running calls finish, and ends then.
  func shutDown(now: NIODeadline) {
    self.now = now
    act(lifetime.shutDown(now: now))
    onWork()
  }

  /// The socket is gone: every call is cancelled.
  func lost() {
    session = nil
    mustClose = true
    onWork = {}
    let open = streams.values
    streams = [:]
    current = nil
    for stream in open { stream.closed() }
    for stream in closed { stream.closed() }
    (begun, touched, closed, dirty, sent, waiting, waitingForTasks) = ([], [], [], [], [], [], [])
    memory.balance()
    if runningHandlers == 0 { end() }
  }

  private func end() {
    memory.release()
    onEnd()
  }

  func handlerStarted() { runningHandlers += 1 }

  func handlerEnded() {
    runningHandlers -= 1
    memory.balance()
    guard session == nil else { return resumeWaitingForTasks() }
    if runningHandlers == 0 { end() }
  }

  func fail(_ code: HTTP2Session.ErrorCode, _ reason: String) {
    if fault == nil { fault = Fault(code: code, reason: reason) }
  }

  func act(_ action: ConnectionLifetime.Action) {
    switch action {
    case .nothing: break
    case .sendNotice:
      session?.submitShutdownNotice()
      session?.submitPing()
    case .sendFinal:
      lastStream = session?.submitGoAway(.noError, "")
      act(lifetime.finalSent())
    case .close: mustClose = true
    case .abort:
      cutOff(.connectionTooOld)
      fail(.noError, "the connection's age and its grace are over")
    }
  }

  // MARK: Input

  /// Takes bytes that have arrived.
  func receive(_ buffer: ByteBuffer, now: NIODeadline) {
    guard session != nil, fault == nil, !mustClose else { return }
    self.now = now
    pings.bytesReceived(now: now)
    buffer.withUnsafeReadableBytes { bytes in
      scan(bytes)
      guard fault == nil else { return }
      do throws(HTTP2Session.Failure) {
        try session?.receive(bytes)
      } catch {
        fail(error.isFlood ? .enhanceYourCalm : .protocolError, error.reason)
      }
    }
    actOnNotes()
    memory.balance()
  }

  /// Judges frames by their headers, before nghttp2 sees them.
  private func scan(_ bytes: UnsafeRawBufferPointer) {
    var began = false
    frames.scan(bytes) { frame in
      began = true
      judge(frame)
    }
    // A header block counts from its first frame, whatever follows.
    if !frames.isMidFrame, !isInHeaderBlock {
      incompleteSince = nil
    } else if incompleteSince == nil || (began && !isInHeaderBlock) {
      incompleteSince = now
    }
  }

  private func judge(_ frame: FrameScanner.Frame) {
    var flood: FloodGuard.Flood?
    switch frame.type {
    case 0x0:  // DATA
      if let padding = frame.detail, padding >= frame.length {
        fail(.protocolError, "more padding than DATA")
      }
      reject(clientStreams.dataReceived(frame.streamID, endsStream: frame.endsStream))
      let padding = frame.detail.map { Int($0) + 1 } ?? 0
      if frame.length == padding, !frame.endsStream { flood = floods.idleFrameReceived(now: now) }
    case 0x1:  // HEADERS
      isInHeaderBlock = !frame.endsHeaders
      let violation = clientStreams.headersReceived(frame.streamID, endsStream: frame.endsStream) { id in
        streams[Int32(id)] != nil
      }
      reject(violation)
    case 0x2:  // PRIORITY: nghttp2 ignores it, as we tell it to.
      if frame.streamID == 0 || frame.detail == frame.streamID {
        fail(.protocolError, "PRIORITY on the connection, or on itself")
      }
      flood = floods.idleFrameReceived(now: now)
    case 0x3:  // RST_STREAM
      flood = judgeReset(of: frame.streamID)
    case 0x4:  // SETTINGS
      if !frame.isAcknowledgement { hasReceivedSettings = true }
      flood = floods.idleFrameReceived(now: now)
    case 0x6:  // PING
      if frame.isAcknowledgement {
        flood = floods.idleFrameReceived(now: now)
        noticeIsAnswered = true
      } else if pings.pingReceived(hasStreams: !streams.isEmpty, now: now) {
        fail(.enhanceYourCalm, "too_many_pings")
      }
    case 0x8:  // WINDOW_UPDATE
      if frame.detail == 0 { fail(.protocolError, "WINDOW_UPDATE by nothing") }
      flood = floods.windowUpdateReceived()
    case 0x9:  // CONTINUATION: nghttp2 counts them.
      if frame.endsHeaders { isInHeaderBlock = false }
    default:
      flood = floods.idleFrameReceived(now: now)
    }
    if let flood { fail(.enhanceYourCalm, flood.rawValue) }
  }

  /// A client that ends a call before its response has ended makes work for nothing (CVE-2023-44487). Afterwards
  /// RST_STREAM only says that it sends no more, as grpc-java does of each call that fails early.
  private func judgeReset(of id: UInt32) -> FloodGuard.Flood? {
    let mightSend = clientStreams.resetReceived(id)
    // A stream that begins in the same read is not known yet.
    if id > newestRequest || streams[Int32(id)]?.responseHasEnded == false {
      return floods.resetReceived(now: now)
    }
    return mightSend ? nil : floods.idleFrameReceived(now: now)
  }

  private func reject(_ violation: ClientStreams.Violation?) {
    switch violation {
    case nil: break
    case .passedOver: fail(.protocolError, "a stream was opened after one with a higher id")
    case .ended: fail(.streamClosed, "a frame on a stream that the client has ended")
    }
  }

  private func actOnNotes() {
    endClosed()
    if !refused.isEmpty {
      for (id, code) in refused {
        // Its handler ends now; nghttp2 tells of the end once RST_STREAM has been sent.
        if let stream = streams[id], stream.isMalformed { stream.closed() }
        session?.submitReset(id, code)
      }
      refused.removeAll(keepingCapacity: true)
    }
    returnWindow()
    if noticeIsAnswered {
      // Only now, when nghttp2 knows of the streams that came before the answer.
      noticeIsAnswered = false
      act(lifetime.noticeAcknowledged())
    }
    guard fault == nil else { return }
    if !begun.isEmpty {
      let streams = take(&begun)
      for stream in streams where !stream.isClosed { stream.begin(now: now) }
      giveBack(streams)
    }
    if !touched.isEmpty {
      let streams = take(&touched)
      for stream in streams where !stream.isClosed { stream.dataDelivered(now: now) }
      giveBack(streams)
    }
  }

  func returnWindow() {
    guard windowToReturn > 0 else { return }
    session?.consumeConnection(windowToReturn)
    windowToReturn = 0
  }

  func endClosed() {
    while abandoned > 0 {
      abandoned -= 1
      act(lifetime.streamClosed(now: now))
    }
    guard !closed.isEmpty else { return }
    let streams = take(&closed)
    for stream in streams {
      stream.closed()
      act(lifetime.streamClosed(now: now))
    }
    giveBack(streams)
  }

  /// Empties `list`, and leaves it memory for what comes.
  func take(_ list: inout [ServerStream]) -> [ServerStream] {
    var taken = spare
    spare = []
    swap(&list, &taken)
    return taken
  }

  /// `list` has been worked off: its memory serves the next.
  func giveBack(_ list: consuming [ServerStream]) {
    list.removeAll(keepingCapacity: true)
    spare = list
  }

  func stream(_ id: Int32) -> ServerStream? {
    if let current, current.id == id { return current }
    current = streams[id]
    return current
  }
}
