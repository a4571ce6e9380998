import GRPCCore
import GRPCProtobuf
import Logging
import Synchronization
import Testing
import UserDomain

@testable import UserAPI

/// The interceptors around handlers that wait, fail and are abandoned.
@Suite(.timeLimit(.minutes(10))) struct InterceptorTests {
  private static let descriptor = MethodDescriptor(
    fullyQualifiedService: "user.v1.UserService", method: "Test")

  /// Runs `handler` behind the interceptors in the order of the server's, cancels the call when `cancelWhen` says so,
  /// and gives what the call ended with.
  private func call(
    metadata: Metadata = [:], isDraining: Bool = false,
    handler: @escaping @Sendable (RPCWriter<Int>) async throws -> Void,
    cancelWhen: (@Sendable () async -> Void)? = nil
  ) async throws {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let errors = ErrorInterceptor(logger: logger)
    let cancellation = CancellationInterceptor(isDraining: { isDraining })
    try await withServerContextRPCCancellationHandle { handle in
      let context = ServerContext(
        descriptor: Self.descriptor, remotePeer: "test:1", localPeer: "test:2", cancellation: handle)
      let request = StreamingServerRequest(
        metadata: metadata,
        messages: RPCAsyncSequence<Int, any Error>(wrapping: AsyncThrowingStream { $0.finish() }))
      try await withThrowingTaskGroup(of: Void.self) { group in
        if let cancelWhen {
          group.addTask {
            await cancelWhen()
            handle.cancel()
          }
        }
        let response: StreamingServerResponse<Int> = try await errors.intercept(
          request: request, context: context
        ) {
          request, context in
          try await cancellation.intercept(request: request, context: context) { _, _ in
            StreamingServerResponse { writer in
              try await handler(writer)
              return [:]
            }
          }
        }
        _ = try await response.accepted.get().producer(RPCWriter(wrapping: Discarding()))
        try await group.waitForAll()
      }
    }
  }

  private struct Discarding: RPCWriterProtocol {
    @concurrent func write(_ element: Int) async throws {}
    @concurrent func write(contentsOf elements: some Sequence<Int>) async throws {}
  }

  private func code(of body: () async throws -> Void) async -> RPCError.Code? {
    do {
      try await body()
      return nil
    } catch {
      return (error as? any RPCErrorConvertible)?.rpcErrorCode
    }
  }

  /// Waits until its task is cancelled, and says when it has begun.
  private final class Waiting: Sendable {
    private let begun = Mutex(false)

    var hasBegun: Bool { begun.withLock { $0 } }

    func wait() async throws {
      begun.withLock { $0 = true }
      while true { try await Task.sleep(for: .seconds(3_600)) }
    }

    func untilBegun() async {
      while !hasBegun { await Task.yield() }
    }
  }

  @Test("a call that its client cancels stops its handler and ends as CANCELLED")
  func cancelled() async {
    let waiting = Waiting()
    let code = await code {
      try await call(handler: { _ in try await waiting.wait() }, cancelWhen: { await waiting.untilBegun() })
    }
    #expect(code == .cancelled)
  }

  @Test("a call whose deadline has passed ends as DEADLINE_EXCEEDED")
  func deadline() async {
    let waiting = Waiting()
    let code = await code {
      try await call(
        metadata: ["grpc-timeout": "1n"], handler: { _ in try await waiting.wait() },
        cancelWhen: { await waiting.untilBegun() })
    }
    #expect(code == .deadlineExceeded)
  }

  @Test(
    "a deadline that is far away, or malformed, is no deadline that has passed",
    arguments: [
      "99999999H", "1H", "-1n", "1", "n", "999999999n", "1x", "",
    ])
  func otherDeadlines(timeout: String) async {
    let waiting = Waiting()
    let code = await code {
      try await call(
        metadata: ["grpc-timeout": .string(timeout)], handler: { _ in try await waiting.wait() },
        cancelWhen: { await waiting.untilBegun() })
    }
    #expect(code == .cancelled)
  }

  @Test("while the server drains, the transport's signal does not stop calls that may finish")
  func draining() async throws {
    let signalled = Mutex(false)
    let code = await code {
      try await call(
        isDraining: true,
        handler: { _ in
          while !signalled.withLock({ $0 }) { await Task.yield() }
          try Task.checkCancellation()
        }, cancelWhen: { signalled.withLock { $0 = true } })
    }
    #expect(code == nil)
  }

  @Test("a peer that has gone is a cancellation, whatever the transport throws")
  func peerGone() async {
    struct Broken: Error {}
    struct Failing: RPCWriterProtocol {
      @concurrent func write(_ element: Int) async throws { throw Broken() }
      @concurrent func write(contentsOf elements: some Sequence<Int>) async throws { throw Broken() }
    }
    let writer = RPCWriter(wrapping: Failing())
    let response = StreamingServerResponse<Int> { writer in
      try await writer.write(1)
      return [:]
    }
    let intercepted = try? await withServerContextRPCCancellationHandle { handle in
      let context = ServerContext(
        descriptor: Self.descriptor, remotePeer: "test:1", localPeer: "test:2", cancellation: handle)
      let request = StreamingServerRequest(
        metadata: [:],
        messages: RPCAsyncSequence<Int, any Error>(wrapping: AsyncThrowingStream { $0.finish() }))
      return try await CancellationInterceptor(isDraining: { false })
        .intercept(request: request, context: context) { _, _ in response }
    }
    await #expect(throws: CancellationError.self) {
      _ = try await intercepted?.accepted.get().producer(writer)
    }
  }

  @Test(
    "what a handler throws becomes its status; what clients must not see becomes INTERNAL",
    arguments: [
      (UserError.notFound("x"), RPCError.Code.notFound), (.emailAlreadyRegistered, .alreadyExists),
      (.storage(StorageFault(kind: .corrupt, resultCode: 11, message: "the inside")), .internalError),
      (.passwordHashing("the inside"), .internalError),
    ])
  func mapped(error: UserError, code: RPCError.Code) async {
    do {
      try await call(handler: { _ in throw error })
      Issue.record("nothing was thrown")
    } catch {
      let status = error as? GoogleRPCStatus
      #expect(status?.code == code)
      #expect(status?.message.contains("inside") == false)
    }
  }
}
