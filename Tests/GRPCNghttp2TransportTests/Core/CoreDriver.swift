import GRPCCore
import NIOCore

@testable import GRPCNghttp2Transport

/// Drives a ``ConnectionCore`` without a socket, nghttp2 or tasks: passes it events, performs its actions, and
/// records them.
struct CoreDriver {
  /// The path of each method, named by how it is answered and by its types of requests and responses.
  enum Path: String, CaseIterable {
    case unary = "/t.T/Unary"
    case list = "/t.T/List"
    case upload = "/t.T/Upload"
    case talk = "/t.T/Talk"
    case inlineUnary = "/t.T/InlineUnary"
    case inlineList = "/t.T/InlineList"
    case inlineTalk = "/t.T/InlineTalk"
  }

  private static let descriptors: [(Path, MethodDescriptor.RPCType)] = [
    (.unary, .unary), (.list, .serverStreaming), (.upload, .clientStreaming),
    (.talk, .bidirectionalStreaming),
    (.inlineUnary, .unary), (.inlineList, .serverStreaming), (.inlineTalk, .bidirectionalStreaming),
  ]

  var core: ConnectionCore
  var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
  /// The performed actions as texts; DATA sent by nghttp2 is "data ID COUNT".
  var log: [String] = []
  /// The bytes that each stream may still send to the client; nil for no limit.
  var clientWindow: Int?
  /// The bytes of DATA that were sent, by stream.
  var sent: [Int32: [UInt8]] = [:]
  /// The parts that readers received.
  var read: [Int32: [String]] = [:]
  /// The streams with DATA for nghttp2 to send.
  private var sending: [Int32: Bool] = [:]
  /// The streams that nghttp2 has open, and whether the client has half-closed them.
  private(set) var open: [Int32: Bool] = [:]

  /// Creates a connection whose client has sent its preface and SETTINGS, unless it is silent.
  init(
    isSilent: Bool = false, budget: Int = .max, jitter: Double = 0,
    _ change: (inout HTTP2Configuration) -> Void = { _ in }
  ) {
    var configuration = HTTP2Configuration()
    change(&configuration)
    let methods = Self.descriptors.map { path, type in
      MethodDescriptor(
        service: ServiceDescriptor(fullyQualifiedService: "t.T"),
        method: String(path.rawValue.split(separator: "/")[1]), type: type)
    }
    let inline = [
      InlineMethod(methods[4]) { _ in },
      InlineMethod(streaming: methods[5]) { _ in false },
      InlineMethod(requests: methods[6]) { _ in .declined },
    ]
    core = ConnectionCore(
      configuration,
      methods: MethodTable(methods, maximum: configuration.maxReceiveMessageSize, inline: inline),
      budget: MemoryBudget(limit: budget), pool: StreamMemoryPool(), deflater: Deflater(), jitter: jitter,
      now: now)
    if !isSilent {
      _ = receive(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0])
    }
  }

  // MARK: The client

  /// Delivers bytes that nghttp2 does not report. Returns whether they may be passed to it.
  mutating func receive(_ bytes: [UInt8]) -> Bool {
    let now = now
    let isTaken = bytes.withUnsafeBytes { core.bytesReceived($0, now: now) }
    core.bytesTaken()
    return isTaken
  }

  /// Opens a stream with the headers of a call, to which `fields` are added or which they replace.
  mutating func open(
    _ id: Int32, _ path: Path = .unary, _ fields: [(String, String)] = [], ended: Bool = false
  ) {
    var all = [(":method", "POST"), (":scheme", "http"), (":path", path.rawValue), (":authority", "a")]
    all += [("content-type", "application/grpc"), ("te", "trailers")]
    for (name, value) in fields {
      if let index = all.firstIndex(where: { $0.0 == name }) {
        all[index].1 = value
      } else {
        all.append((name, value))
      }
    }
    headers(id, all, ended: ended)
  }

  /// Delivers a header block; it is a request's if the stream is new.
  mutating func headers(_ id: Int32, _ fields: [(String, String)], ended: Bool) {
    let isRequest = open[id] == nil
    core.headersBegan(id, isRequest: isRequest)
    if isRequest { open[id] = false }
    for (name, value) in fields {
      let goesOn = Array(name.utf8).withUnsafeBufferPointer { name in
        Array(value.utf8).withUnsafeBufferPointer { value in core.headerReceived(name, value) }
      }
      if !goesOn { return }
    }
    if ended { open[id] = true }
    core.headersReceived(id, endsStream: ended)
  }

  /// Delivers DATA.
  mutating func data(_ id: Int32, _ bytes: [UInt8], ended: Bool = false) {
    if !bytes.isEmpty { bytes.withUnsafeBytes { core.dataReceived(id, $0) } }
    if ended {
      open[id] = true
      core.requestEnded(id)
    }
  }

  /// Returns messages with their prefixes.
  static func messages(_ texts: String...) -> [UInt8] {
    texts.flatMap { text in
      [0] + withUnsafeBytes(of: UInt32(text.utf8.count).bigEndian) { Array($0) } + Array(text.utf8)
    }
  }

  /// Closes a stream, because the client resets it or both sides have ended.
  mutating func close(_ id: Int32) {
    guard open.removeValue(forKey: id) != nil else { return }
    sending[id] = nil
    core.streamClosed(id)
  }

  /// Delivers a complete call with one message.
  mutating func call(
    _ id: Int32, _ path: Path = .unary, _ fields: [(String, String)] = [], _ text: String = "hi"
  ) {
    open(id, path, fields)
    data(id, Self.messages(text), ended: true)
  }

  // MARK: The connection

  /// Performs all actions and sends all output.
  mutating func run() {
    core.beginOutput(in: ByteBuffer(), limit: 64 * 1_024, now: now)
    repeat {
      while let action = core.nextAction() { perform(action) }
    } while send()
    core.turnEnded()
    while let action = core.nextAction() { perform(action) }
    _ = core.takeOutput()
  }

  /// Performs all actions, and returns those since the last call.
  mutating func done() -> [String] {
    run()
    defer { log = [] }
    return log
  }

  mutating func pass(_ time: TimeAmount) {
    now = now + time
    core.timePassed(now: now)
  }

  private mutating func perform(_ action: ConnectionAction) {
    switch action {
    case .answer(let id): log.append("answer \(id)")
    case .startHandler(let id): log.append("startHandler \(id)")
    case .startTaker(let id): log.append("startTaker \(id)")
    case .resumeReader(let id, let reading):
      log.append("resumeReader \(id) \(Self.text(reading))")
    case .resumeWriters(let id): log.append("resumeWriters \(id)")
    case .cancel(let id): log.append("cancel \(id)")
    case .closed(let id): log.append("closed \(id)")
    case .send(let id, let frame): submit(id, frame)
    case .reset(let id, let code):
      log.append("reset \(id) \(code.name)")
      core.resetSent(code)
      close(id)
    case .returnStreamWindow(let id, let count): log.append("window \(id) \(count)")
    case .returnConnectionWindow(let count): log.append("window \(count)")
    case .callsAreCutOff: log.append("callsAreCutOff")
    case .ping: log.append("ping")
    case .goAwayNotice: log.append("goAwayNotice")
    case .goAway:
      log.append("goAway")
      core.goAwaySent(last: core.streams.newest)
    case .goAwayFor(let fault): log.append("goAway \(fault.code.name): \(fault.reason)")
    case .ended: log.append("ended")
    }
  }

  private mutating func submit(_ id: Int32, _ frame: ResponseState.Frame) {
    log.append("\(Self.text(frame)) \(id)")
    switch frame {
    case .data(let endsStream): sending[id] = endsStream
    case .plainHeaders, .headers, .httpHeaders(_, endsStream: false): core.headersSent(id, endsStream: false)
    case .trailersOnly, .plainTrailers, .trailers, .httpHeaders(_, endsStream: true): endResponse(id)
    }
  }

  private mutating func endResponse(_ id: Int32) {
    core.headersSent(id, endsStream: true)
    if open[id] == true { close(id) }
  }

  /// Sends a DATA frame for each stream that has data and window. Returns whether there was any.
  private mutating func send() -> Bool {
    var sentSome = false
    for (id, endsStream) in sending.sorted(by: { $0.key < $1.key }) {
      let limit = min(16_384, clientWindow ?? .max)
      if limit == 0 { continue }
      let (count, isLast) = core.dataWanted(id, atMost: limit)
      let before = core.output.readableBytes
      let header = [UInt8](repeating: 0, count: 9)
      _ = header.withUnsafeBytes {
        core.dataSent(id, header: $0, count: count, endsStream: isLast && endsStream)
      }
      let bytes = core.output.getBytes(at: core.output.readerIndex + before + 9, length: count) ?? []
      sent[id, default: []] += bytes
      if let clientWindow { self.clientWindow = clientWindow - count }
      if isLast { sending[id] = nil }
      if isLast, endsStream, open[id] == true { close(id) }
      log.append("data \(id) \(count)")
      sentSome = true
    }
    return sentSome
  }

  static func text(_ reading: RequestReading?) -> String {
    switch reading {
    case .part(.metadata): "metadata"
    case .part(.message(let message)): String(decoding: message.bytes, as: UTF8.self)
    case .end: "end"
    case .failure(let error): "failure \(error.code): \(error.message)"
    case .callEnded: "callEnded"
    case nil: "wait"
    }
  }

  private static func text(_ frame: ResponseState.Frame) -> String {
    switch frame {
    case .plainHeaders: "headers"
    case .headers(let metadata, let encoding):
      encoding == .identity ? "headers\(metadata.isEmpty ? "" : " \(metadata)")" : "headers \(encoding)"
    case .trailersOnly(let http, let status, _): "trailersOnly \(http) \(status.code)"
    case .httpHeaders(let status, let endsStream): "http \(status)\(endsStream ? " end" : "")"
    case .data: "submitData"
    case .plainTrailers: "trailers ok"
    case .trailers(let status, _): "trailers \(status.code)"
    }
  }

  // MARK: Handlers

  /// Reads the next part as a handler, and waits for it if `waits`.
  mutating func read(_ id: Int32, waits: Bool = true) -> String {
    let reading = core.read(id)
    if reading == nil, waits { core.awaitPart(id) }
    return Self.text(reading)
  }

  /// Writes a message as a handler. Returns whether there is room for more.
  mutating func write(_ id: Int32, _ text: String) throws -> ConnectionCore.Room {
    try core.write(id, .message(MessageBytes(Array(text.utf8))))
    return core.room(id)
  }

  /// Writes a status as a handler, and ends its task.
  mutating func finish(_ id: Int32, _ code: Status.Code = .ok) {
    try? core.write(id, .status(Status(code: code, message: ""), [:]))  // Fails if the call has ended.
    core.taskEnded(id)
  }

  /// Whether the calls count nothing in the connection's memory.
  var isMemoryFree: Bool {
    core.memory.calls == 0 && core.memory.unread == 0 && core.memory.unsent == 0 && core.memory.expected == 0
      && core.memory.incomplete == 0
  }
}
