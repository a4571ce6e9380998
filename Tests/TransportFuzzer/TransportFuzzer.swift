import ArgumentParser
import Foundation
import GRPCCore
import GRPCNghttp2Transport
import Logging
import NIOCore
import NIOEmbedded

/// Feeds the transport's connections random sessions: client frames, corrupted and cut at random places. It looks for
/// traps, which end the process, and reports leaks and hangs.
///
/// A seed determines its sessions, so a failing one can be repeated with `--seed N --sessions 1`.
@main
struct TransportFuzzer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transport-fuzzer", abstract: "Feeds the transport random HTTP/2 sessions.")

  @Option(help: "Run this many sessions.")
  var sessions = 10_000
  @Option(help: "Run for this many seconds instead of a number of sessions.")
  var seconds: Int?
  @Option(help: "Start with this seed.")
  var seed: UInt64 = 1

  func run() throws {
    let calls = CallCounter()
    let transport = Nghttp2ServerTransport(
      listeners: [], configuration: Self.limits, inlineMethods: [Self.inline(calls), Self.talk(calls)])
    var context = GRPCServerContext()
    context.methods = SessionMaker.methods
    transport.configure(context: context)
    let loop = EmbeddedEventLoop()
    let initializer = transport.connectionInitializer(on: [loop]) { stream, context in
      calls.begin()
      await Self.echo(stream)
      calls.end()
    }
    let begin = ContinuousClock.now
    var number = 0
    // The progress from 0 to 1.
    func progress() -> Double {
      seconds.map { (.now - begin) / .seconds($0) } ?? Double(number) / Double(sessions)
    }
    var memory: Int?
    while progress() < 1 {
      var maker = SessionMaker(seed: seed &+ UInt64(number))
      try run(maker.make(), initializer, loop)
      guard calls.running == 0, transport.connectionCount == 0 else {
        throw Failure(seed: seed &+ UInt64(number), description: "\(calls.running) calls still run")
      }
      number += 1
      if memory == nil, progress() >= 0.1 { memory = try Self.privateKiB() }
    }
    let last = try Self.privateKiB()
    let growth = last - (memory ?? last)
    print(
      "\(number) sessions, \(calls.total) calls; private memory grew by \(growth) KiB after the first tenth")
    if number >= 10_000, growth > 4_096 { throw Failure(seed: seed, description: "memory grows") }
  }

  struct Failure: Error, CustomStringConvertible {
    let seed: UInt64
    let description: String
  }

  /// The limits are small, so that sessions reach them.
  private static var limits: Nghttp2ServerTransport.Configuration {
    var configuration = Nghttp2ServerTransport.Configuration()
    configuration.maxConcurrentStreams = 8
    configuration.maxHeaderListSize = 1_024
    configuration.initialWindowSize = 1_024
    configuration.maxReceiveMessageSize = 4_096
    configuration.maxConnectionMemory = 8_192
    configuration.connectionWriteBufferSize = 4_096
    configuration.writeBufferSize = 2_048
    configuration.floodLimits.idleFrames = (20, 1)
    configuration.floodLimits.resets = (20, 1)
    configuration.floodLimits.provokedResets = (20, 1)
    return configuration
  }

  private func run(
    _ pieces: [(bytes: ByteBuffer, pause: TimeAmount)], _ initializer: ConnectionInitializer,
    _ loop: EmbeddedEventLoop
  ) throws {
    let channel = EmbeddedChannel(loop: loop)
    try initializer.initialize(channel)
    try channel.connect(to: .init(ipAddress: "127.0.0.1", port: 1)).wait()
    for (bytes, pause) in pieces where channel.isActive {
      // A closed connection accepts no more bytes, which is not a failure.
      _ = try? channel.writeInbound(bytes)
      loop.advanceTime(by: pause)
      while try channel.readOutbound(as: ByteBuffer.self) != nil {}
    }
    // The client disconnects; a connection that has closed itself lingers until then.
    channel.close(promise: nil)
    loop.advanceTime(by: .seconds(2))
  }

  /// Answers messages of even length inline, and leaves the others to ``echo(_:)``.
  private static func inline(_ calls: CallCounter) -> InlineMethod {
    InlineMethod(SessionMaker.methods[0]) { call in
      guard call.message.count.isMultiple(of: 2) else { return }
      calls.begin()
      let message = call.message
      let isKnown = call.withOnlyValue(of: "x-bin") { $0 != nil }
      // The fuzzer looks for traps such as this one.
      if isKnown, call.metadata.isEmpty { fatalError("a field is not in the metadata") }
      call.respond(count: message.count) { $0.copyMemory(from: message) }
      calls.end()
    }
  }

  /// Takes most calls, and leaves the others to ``echo(_:)``.
  private static func talk(_ calls: CallCounter) -> InlineMethod {
    InlineMethod(requests: SessionMaker.methods[2]) { call in
      switch call.metadata[binaryValues: "x-bin"].first(where: { _ in true }) {
      case [0]: return .declined
      case [0, 1, 2]: return .refused(RPCError(code: .aborted, message: "so"))
      default:
        calls.begin()
        return .taken(Talk(calls: calls, responses: call.responses))
      }
    }
  }

  /// Sends messages back, now or later, and sometimes ends the call.
  private struct Talk: InlineRequests {
    let calls: CallCounter
    let responses: InlineStream.Responses
    var late: MessageBytes?
    var hasWaitingWork = false

    mutating func receive(_ message: MessageBytes) -> InlineStep? {
      switch message.count % 7 {
      case 0:
        calls.end()
        return .end(message, nil)
      case 1:
        return .next
      case 2:
        late = message
        return nil
      case 3:
        hasWaitingWork = true
        responses.wake()
        return .next
      default:
        return .send(message)
      }
    }

    mutating func work() async -> InlineStep {
      await Task.yield()
      // The transport asks for work after a message, or if work waits. The fuzzer looks for traps such as this one.
      guard late != nil || hasWaitingWork else { fatalError("work that nothing asked for") }
      hasWaitingWork = false
      return late.take().map { .send($0) } ?? .next
    }

    mutating func requestEnded(_ failure: RPCError?) async -> InlineStep {
      calls.end()
      return .end(nil, failure)
    }

    // Never called after an end; the counter would show a second call, or a missing one.
    mutating func callEnded() { calls.end() }
  }

  /// Sends messages back, and sometimes fails.
  @concurrent private static func echo(
    _ stream: RPCStream<Nghttp2ServerTransport.Inbound, Nghttp2ServerTransport.Outbound>
  ) async {
    do {
      for try await part in stream.inbound {
        switch part {
        case .metadata(let metadata): try await stream.outbound.write(.metadata(metadata))
        case .message(let message): try await stream.outbound.write(.message(message))
        }
      }
      try await stream.outbound.write(.status(Status(code: .ok, message: ""), [:]))
    } catch {
      // A call that has ended takes no status.
      try? await stream.outbound.write(.status(Status(code: .aborted, message: "\(error)"), [:]))
    }
  }

  private static func privateKiB() throws -> Int {
    let rollup = try String(contentsOfFile: "/proc/self/smaps_rollup", encoding: .utf8)
    return rollup.firstMatch(of: /Anonymous:\s+(\d+)/).flatMap { Int($0.1) } ?? 0
  }
}
