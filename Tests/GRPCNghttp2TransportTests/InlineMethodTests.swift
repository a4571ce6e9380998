import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCNghttp2Transport
import Synchronization
import TestSupport
import Testing

/// Calls that are answered inline, and those that are not.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct InlineMethodTests {
  private static let method = MethodDescriptor(
    fullyQualifiedService: "test.Service", method: "Echo", type: .unary)

  /// Answers with `handler:` and the request.
  private struct Service: RegistrableRPCService {
    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
      router.registerHandler(forMethod: method, deserializer: Raw(), serializer: Raw()) { request, _ in
        let request = try await ServerRequest(stream: request)
        return StreamingServerResponse(
          single: ServerResponse(message: Array("handler:".utf8) + request.message))
      }
    }
  }

  /// Answers with `inline:`, the only value of `x-prefix` and the request. Requests that begin with `!` are declined.
  /// Those that begin with `~` are answered later, with `later:` and the request, or a failure if nothing follows.
  private static let inline = InlineMethod(method) { call in
    guard call.message.first != UInt8(ascii: "!") else { return }
    if call.message.first == UInt8(ascii: "~") {
      let request = Array(call.message)
      call.respondLater { context in
        await Task.yield()
        guard request.count > 1 else {
          return .failure(RPCError(code: .aborted, message: "nothing", metadata: ["x-why": "~"]))
        }
        return .success(Array("later:\(context.deadline != nil):".utf8) + request)
      }
      return
    }
    let prefix = call.withOnlyValue(of: "x-prefix") { value in value.map { Array($0) } ?? [] }
    let values = Array(call.metadata[stringValues: "x-prefix"])
    #expect((values.count == 1 ? values[0] : "") == String(decoding: prefix, as: UTF8.self))
    #expect(call.remotePeer.hasPrefix("ipv4:127.0.0.1:"))
    let answer = Array("inline:".utf8) + prefix + Array(call.message)
    call.respond(count: answer.count) { $0.copyBytes(from: answer) }
  }

  /// Returns the answers to `requests`, made one after another. With `onCall`, each call is made as soon as that
  /// returns for the previous one.
  private func answers(
    _ requests: [[UInt8]], metadata: Metadata = [:],
    configuration: Nghttp2ServerTransport.Configuration = .init(), options: CallOptions = .defaults,
    inline: InlineMethod = inline, onAnswer: @escaping @Sendable () -> Void = {},
    onCall: (@Sendable (Int) async -> Void)? = nil
  ) async throws -> [[UInt8]] {
    let transport = Nghttp2ServerTransport(
      listeners: [Listener(.tcp(host: "127.0.0.1", port: 0))], configuration: configuration,
      inlineMethods: [inline])
    return try await withGRPCServer(transport: transport, services: [Service()]) { server in
      guard case .tcp(_, let port) = try await server.transport.addresses[0] else { return [] }
      return try await withGRPCClient(
        transport: .http2NIOPosix(
          target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext)
      ) { client in
        @Sendable func answer(_ request: [UInt8]) async throws -> [UInt8] {
          defer { onAnswer() }
          return try await client.unary(
            request: ClientRequest(message: request, metadata: metadata), descriptor: Self.method,
            serializer: Raw(), deserializer: Raw(), options: options
          ) { try $0.message }
        }
        var answers: [[UInt8]] = []
        if let onCall {
          var calls: [Task<[UInt8], any Error>] = []
          for request in requests {
            calls.append(Task { try await answer(request) })
            await onCall(calls.count)
          }
          for call in calls { answers.append(try await call.value) }
        } else {
          for request in requests { answers.append(try await answer(request)) }
        }
        return answers
      }
    }
  }

  @Test("an inline method answers, or leaves the call to the handler unchanged")
  func answersOrDeclines() async throws {
    let requests = ["", "a", "!b", "c", "!"].map { Array($0.utf8) }
    let expected = ["inline:", "inline:a", "handler:!b", "inline:c", "handler:!"]
    #expect(try await answers(requests).map { String(decoding: $0, as: UTF8.self) } == expected)
  }

  @Test("an answer may be given later, with the call's context")
  func later() async throws {
    var options = CallOptions.defaults
    options.timeout = .seconds(3_600)
    let texts = try await answers(["~a", "b", "~c"].map { Array($0.utf8) }, options: options)
    #expect(
      texts.map { String(decoding: $0, as: UTF8.self) } == ["later:true:~a", "inline:b", "later:true:~c"])
    #expect(try await answers([Array("~a".utf8)]) == [Array("later:false:~a".utf8)])
  }

  @Test("a later answer may be a failure, with metadata, or too large")
  func laterFailures() async throws {
    let failure = await #expect(throws: RPCError.self) { try await answers([Array("~".utf8)]) }
    #expect(failure?.code == .aborted && failure?.message == "nothing")
    #expect(failure.map { Array($0.metadata[stringValues: "x-why"]) } == ["~"])
    var configuration = Nghttp2ServerTransport.Configuration()
    configuration.maxSendMessageSize = 100
    let size = await #expect(throws: RPCError.self) {
      try await answers([Array(repeating: UInt8(ascii: "~"), count: 101)], configuration: configuration)
    }
    #expect(size?.code == .resourceExhausted)
  }

  @Test("a call that ends before its late answer cancels the task that computes it")
  func laterCancelled() async throws {
    let (steps, tell) = AsyncStream.makeStream(of: String.self)
    let endless = InlineMethod(Self.method) { call in
      call.respondLater { _ in
        tell.yield("begun")
        // Throws when the task is cancelled, which ends the loop.
        do { while true { try await Task.sleep(for: .seconds(3_600)) } } catch {}
        tell.yield("cancelled")
        return .success([])
      }
    }
    let call = Task {
      defer { tell.finish() }
      return try await answers([[1]], inline: endless)
    }
    var seen: [String] = []
    for await step in steps {
      seen.append(step)
      if step == "begun" { call.cancel() }
    }
    #expect(seen == ["begun", "cancelled"])
    await #expect(throws: (any Error).self) { try await call.value }
  }

  @Test("requests with late answers count as read: their connection's window is returned")
  func laterFreesTheRequest() async throws {
    var configuration = Nghttp2ServerTransport.Configuration()
    configuration.initialConnectionWindowSize = 65_535
    let count = 5
    // All are answered once the last has arrived; one that reached its handler is answered at once.
    let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])
    let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
    let inline = InlineMethod(Self.method) { call in
      call.respondLater { _ in
        await withCheckedContinuation { continuation in
          waiting.withLock { $0.append(continuation) }
          arrived.yield()
        }
        return .success([1])
      }
    }
    let answers = try await answers(
      Array(repeating: [UInt8](repeating: 0, count: 30_000), count: count), configuration: configuration,
      inline: inline, onAnswer: { arrived.yield() }
    ) { begun in
      _ = await arrivals.first { true }
      if begun == count { for continuation in waiting.withLock({ $0 }) { continuation.resume() } }
    }
    #expect(answers.count == count)
    #expect(waiting.withLock { $0.count } == answers.count { $0 == [1] })
  }

  @Test(
    "messages of any size are transferred completely",
    arguments: [1, 16_383, 16_384, 65_536, 300_000, 4_194_000])
  func sizes(size: Int) async throws {
    let request = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    #expect(try await answers([request, request]).allSatisfy { $0.suffix(size) == request })
  }

  @Test("a single field has a value; a repeated field has none")
  func metadata() async throws {
    let one = try await answers([[1]], metadata: ["x-other": "o", "x-prefix": "p", "x-another": ""])
    #expect(one == [Array("inline:p".utf8) + [1]])
    let two = try await answers([[1]], metadata: ["x-prefix": "p", "x-prefix": "p"])
    #expect(two == [Array("inline:".utf8) + [1]])
  }

  @Test("the configuration can disable inline methods")
  func off() async throws {
    var configuration = Nghttp2ServerTransport.Configuration()
    configuration.answersInline = false
    let answers = try await answers([[1]], configuration: configuration)
    #expect(answers == [Array("handler:".utf8) + [1]])
  }
}
