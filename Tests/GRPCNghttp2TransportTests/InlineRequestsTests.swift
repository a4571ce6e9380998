import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCNghttp2Transport
import Synchronization
import TestSupport
import Testing

/// Calls whose messages an inline method takes.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct InlineRequestsTests {
  private static let method = MethodDescriptor(
    fullyQualifiedService: "test.Service", method: "Talk", type: .bidirectionalStreaming)

  /// Answers with `handler:` and each message.
  private struct Service: RegistrableRPCService {
    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
      router.registerHandler(forMethod: method, deserializer: Raw(), serializer: Raw()) { request, _ in
        StreamingServerResponse { writer in
          for try await message in request.messages {
            try await writer.write(Array("handler:".utf8) + message)
          }
          return [:]
        }
      }
    }
  }

  /// Records the events of calls.
  private final class Log: Sendable {
    private let entries = Mutex<[String]>([])
    private let stream = AsyncStream.makeStream(of: String.self)

    func note(_ entry: String) {
      entries.withLock { $0.append(entry) }
      stream.continuation.yield(entry)
    }

    var all: [String] { entries.withLock { $0 } }

    /// Returns once `entry` was recorded. Only one caller may wait for an entry.
    func wait(for entry: String) async { _ = await stream.stream.first { $0 == entry } }
  }

  /// Answers each message with its number; `end` ends the call, `fail` fails it, `wait` waits until it is cancelled.
  private struct Talk: InlineRequests {
    let log: Log
    var count = 0
    var message = MessageBytes([])

    mutating func receive(_ message: MessageBytes) -> InlineStep? {
      count += 1
      self.message = message
      switch String(decoding: message.bytes, as: UTF8.self) {
      case "end": return .end(MessageBytes(Array("last".utf8)), nil)
      case "fail": return .end(nil, RPCError(code: .aborted, message: "as told", metadata: ["x-why": "told"]))
      case "silent": return .next
      case "at once": return .send(MessageBytes(Array("\(count)!".utf8)))
      default: return nil
      }
    }

    mutating func work() async -> InlineStep {
      switch String(decoding: message.bytes, as: UTF8.self) {
      case "wait":
        log.note("waits")
        // Throws when the task is cancelled, which ends the loop.
        do { while true { try await Task.sleep(for: .seconds(3_600)) } } catch {}
        log.note("was cancelled")
        return .next
      case "end later": return .end(MessageBytes(Array("last".utf8)), nil)
      default:
        await Task.yield()
        return .send(MessageBytes(Array("\(count):".utf8) + message.bytes))
      }
    }

    mutating func requestEnded(_ failure: RPCError?) async -> InlineStep {
      log.note("request ended")
      return .end(failure == nil ? MessageBytes(Array("bye".utf8)) : nil, failure)
    }

    mutating func callEnded() { log.note("call ended") }
  }

  private static func talk(_ log: Log) -> InlineMethod {
    InlineMethod(requests: method) { call in
      #expect(call.message.isEmpty && call.remotePeer.hasPrefix("ipv4:127.0.0.1:"))
      switch Array(call.metadata[stringValues: "x-as"]).first {
      case "refused":
        return .refused(RPCError(code: .permissionDenied, message: "no", metadata: ["x-why": "no"]))
      case "declined": return .declined
      default: return .taken(Talk(log: log))
      }
    }
  }

  private typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

  private func withClient(
    _ inline: InlineMethod, configuration: Nghttp2ServerTransport.Configuration = .init(),
    limit: Int = 1_000, _ body: @escaping @Sendable (Client) async throws -> Void
  ) async throws {
    let transport = Nghttp2ServerTransport(
      listeners: [Listener(.tcp(host: "127.0.0.1", port: 0))], configuration: configuration,
      receiveLimits: [Self.method: limit], inlineMethods: [inline])
    try await withGRPCServer(transport: transport, services: [Service()]) { server in
      guard case .tcp(_, let port) = try await server.transport.addresses[0] else { return }
      try await withGRPCClient(
        transport: .http2NIOPosix(
          target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext)
      ) { try await body($0) }
    }
  }

  /// Returns the answers to `messages`, after which the client half-closes the stream.
  private func answers(
    _ client: Client, _ messages: [String], metadata: Metadata = [:]
  ) async throws -> [String] {
    try await client.bidirectionalStreaming(
      request: StreamingClientRequest(metadata: metadata) { writer in
        for message in messages { try await writer.write(Array(message.utf8)) }
      }, descriptor: Self.method, serializer: Raw(), deserializer: Raw(), options: .defaults
    ) { response in
      var answers: [String] = []
      for try await message in response.messages { answers.append(String(decoding: message, as: UTF8.self)) }
      return answers
    }
  }

  @Test("messages and the end of the request are answered in order")
  func order() async throws {
    let log = Log()
    try await withClient(Self.talk(log)) { client in
      let none = try await self.answers(client, [])
      #expect(none == ["bye"])
      let some = try await self.answers(client, ["a", "silent", "b"])
      #expect(some == ["1:a", "3:b", "bye"])
      let quick = try await self.answers(client, ["a", "at once", "b", "at once"])
      #expect(quick == ["1:a", "2!", "3:b", "4!", "bye"])
      let messages = (1...3_000).map { "\($0)" }
      let many = try await self.answers(client, messages)
      #expect(many == messages.map { "\($0):\($0)" } + ["bye"])
    }
    #expect(log.all == Array(repeating: "request ended", count: 4))
  }

  @Test("a message may end the call, with status OK or a failure, while the client still sends")
  func ends() async throws {
    let log = Log()
    try await withClient(Self.talk(log)) { client in
      let answers = try await self.answers(client, ["a", "end"])
      #expect(answers == ["1:a", "last"])
      let late = try await self.answers(client, ["a", "end later"])
      #expect(late == ["1:a", "last"])
      let failure = await #expect(throws: RPCError.self) { try await self.answers(client, ["fail"]) }
      #expect(failure?.code == .aborted && failure?.message == "as told")
      #expect(failure.map { Array($0.metadata[stringValues: "x-why"]) } == ["told"])
    }
    #expect(log.all.isEmpty)
  }

  @Test("a call is refused before its first message, or goes to its handler")
  func refusedOrDeclined() async throws {
    try await withClient(Self.talk(Log())) { client in
      let failure = await #expect(throws: RPCError.self) {
        try await self.answers(client, [], metadata: ["x-as": "refused"])
      }
      #expect(failure?.code == .permissionDenied && failure?.message == "no")
      #expect(failure.map { Array($0.metadata[stringValues: "x-why"]) } == ["no"])
      let answers = try await self.answers(client, ["a"], metadata: ["x-as": "declined"])
      #expect(answers == ["handler:a"])
    }
  }

  @Test("a request that exceeds a limit ends with that error, after the earlier messages")
  func failure() async throws {
    let log = Log()
    try await withClient(Self.talk(log), limit: 10) { client in
      let failure = await #expect(throws: RPCError.self) {
        try await self.answers(client, [String(repeating: "x", count: 11)])
      }
      #expect(failure?.code == .resourceExhausted)
    }
    #expect(log.all == ["request ended"])
  }

  @Test("a method is told once that its client has disconnected", arguments: ["silent", "wait"])
  func cancelled(message: String) async throws {
    let log = Log()
    try await withClient(Self.talk(log)) { client in
      let (ready, tell) = AsyncStream.makeStream(of: Void.self)
      let (leave, leaves) = AsyncStream.makeStream(of: Void.self)
      let call = Task {
        defer { tell.finish() }
        try await client.bidirectionalStreaming(
          request: StreamingClientRequest { writer in
            try await writer.write(Array("a".utf8))
            try await writer.write(Array(message.utf8))
            for await _ in leave {}
            // Resets the stream. A cancelled client may half-close it normally instead.
            throw CancellationError()
          }, descriptor: Self.method, serializer: Raw(), deserializer: Raw(), options: .defaults
        ) { response in
          for try await _ in response.messages { tell.yield() }
        }
      }
      // A failed call would never become ready.
      if await ready.first(where: { true }) == nil { return try await call.value }
      if message == "wait" { await log.wait(for: "waits") }
      leaves.finish()
      _ = await call.result
      await log.wait(for: "call ended")
    }
    #expect(log.all == (message == "wait" ? ["waits", "was cancelled", "call ended"] : ["call ended"]))
  }

  @Test("a method is told that the deadline has passed")
  func deadline() async throws {
    let log = Log()
    try await withClient(Self.talk(log)) { client in
      var timeout = 50
      let isAnswered = Mutex(false)
      // The deadline of a call without an answer may have passed before its arrival.
      while !isAnswered.withLock({ $0 }) {
        timeout *= 2
        let failure = await #expect(throws: RPCError.self) {
          try await client.bidirectionalStreaming(
            // Only the server knows the deadline, because a client may half-close when its own passes.
            request: StreamingClientRequest(metadata: ["grpc-timeout": "\(timeout)m"]) { writer in
              try await writer.write([1])
              // Stays open until the call has ended.
              try await Task.sleep(for: .seconds(3_600))
            }, descriptor: Self.method, serializer: Raw(), deserializer: Raw(), options: .defaults
          ) { response in
            for try await _ in response.messages { isAnswered.withLock { $0 = true } }
          }
        }
        #expect(failure?.code == .deadlineExceeded)
      }
      await log.wait(for: "call ended")
    }
    #expect(Set(log.all) == ["call ended"])
  }

  /// Work that ends when the test says so.
  private final class Work: Sendable {
    private let state = Mutex((hasEnded: false, wake: Optional<@Sendable () -> Void>.none))

    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    func whenEnded(_ wake: @escaping @Sendable () -> Void) { state.withLock { $0.wake = wake } }

    func end() {
      let wake = state.withLock { state in
        state.hasEnded = true
        return state.wake
      }
      wake?()
    }
  }

  /// Answers with the number of messages once the work has ended.
  private struct Patient: InlineRequests {
    let log: Log
    let worker: Work
    var count = 0

    mutating func receive(_ message: MessageBytes) -> InlineStep? {
      count += 1
      log.note("took \(count)")
      return .next
    }

    var hasWaitingWork: Bool { count > 0 && worker.hasEnded }

    mutating func work() async -> InlineStep {
      .send(MessageBytes(Array("\(exchange(&count, with: 0))".utf8)))
    }

    mutating func requestEnded(_ failure: RPCError?) async -> InlineStep { .end(nil, failure) }

    mutating func callEnded() {}
  }

  @Test("messages are taken while work goes on elsewhere, whose end wakes the call")
  func wake() async throws {
    let (log, worker) = (Log(), Work())
    let patient = InlineMethod(requests: Self.method) { call in
      if call.metadata[stringValues: "x-as"].contains("declined") { return .declined }
      let responses = call.responses
      worker.whenEnded { responses.wake() }
      return .taken(Patient(log: log, worker: worker))
    }
    try await withClient(patient) { client in
      let (hasAnswer, tell) = AsyncStream.makeStream(of: Void.self)
      let answers = try await client.bidirectionalStreaming(
        request: StreamingClientRequest { writer in
          try await writer.write(Array("a".utf8))
          await log.wait(for: "took 1")
          try await writer.write(Array("b".utf8))
          await log.wait(for: "took 2")
          // Answered on the same event loop: when this returns, the first call has looked for work in vain.
          _ = try await self.answers(client, [], metadata: ["x-as": "declined"])
          worker.end()
          // The client sends nothing until it has the answer.
          for await _ in hasAnswer {}
        }, descriptor: Self.method, serializer: Raw(), deserializer: Raw(), options: .defaults
      ) { response in
        defer { tell.finish() }
        var answers: [String] = []
        for try await message in response.messages {
          answers.append(String(decoding: message, as: UTF8.self))
          tell.finish()
        }
        return answers
      }
      #expect(answers == ["2"])
      // The call has ended.
      worker.end()
    }
  }

  private final class Counts: Sendable {
    private let counts = Mutex((now: 0, most: 0))

    func change(_ count: Int) {
      counts.withLock { counts in
        counts.now += count
        counts.most = max(counts.most, counts.now)
      }
    }

    var most: Int { counts.withLock { $0.most } }
  }

  /// Counts the calls that take a message at the same time.
  private struct Busy: InlineRequests {
    let running: Counts

    mutating func receive(_ message: MessageBytes) -> InlineStep? { nil }

    mutating func work() async -> InlineStep {
      running.change(1)
      for _ in 0..<50 { await Task.yield() }
      running.change(-1)
      return .next
    }

    mutating func requestEnded(_ failure: RPCError?) async -> InlineStep { .end(nil, failure) }

    mutating func callEnded() {}
  }

  @Test("calls wait for each other when memory does not suffice for all tasks, and none fails")
  func tasksWaitForEachOther() async throws {
    let running = Counts()
    var configuration = Nghttp2ServerTransport.Configuration()
    configuration.maxConnectionMemory = 131_072
    let busy = InlineMethod(requests: Self.method) { _ in .taken(Busy(running: running)) }
    try await withClient(busy, configuration: configuration) { client in
      try await withThrowingTaskGroup(of: [String].self) { group in
        for _ in 0..<30 { group.addTask { try await self.answers(client, ["a", "b", "c"]) } }
        for try await answers in group { #expect(answers.isEmpty) }
      }
    }
    #expect((1...4).contains(running.most))
  }
}
