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

  /// Runs `handler` behind the interceptors, cancels its task when `cancelWhen` returns, as the transport
  /// does when the call is over, and gives what the call ended with.
  private func call(
    cause: CancellationCause = .client,
    handler: @escaping @Sendable (RPCWriter<Int>) async throws -> Void,
    cancelWhen: (@Sendable () async -> Void)? = nil
  ) async throws {
    let errors = ErrorInterceptor(
      ErrorMapper(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
      cause: { _ in cause })
    let context = ServerContext(
      descriptor: Self.descriptor, remotePeer: "test:1", localPeer: "test:2", cancellation: .init())
    let call = Task {
      let request = StreamingServerRequest(
        metadata: [:],
        messages: RPCAsyncSequence<Int, any Error>(wrapping: AsyncThrowingStream { $0.finish() }))
      let response: StreamingServerResponse<Int> = try await errors.intercept(
        request: request, context: context
      ) { _, _ in
        StreamingServerResponse { writer in
          try await handler(writer)
          return [:]
        }
      }
      _ = try await response.accepted.get().producer(RPCWriter(wrapping: Discarding()))
    }
    if let cancelWhen {
      await cancelWhen()
      call.cancel()
    }
    try await call.value
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
      // Until the task is cancelled: no time is waited for.
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
        cause: .deadline, handler: { _ in try await waiting.wait() },
        cancelWhen: { await waiting.untilBegun() })
    }
    #expect(code == .deadlineExceeded)
  }

  @Test("a call that is cut off ends as UNAVAILABLE")
  func cutOff() async {
    let waiting = Waiting()
    let code = await code {
      try await call(
        cause: .shutdown, handler: { _ in try await waiting.wait() },
        cancelWhen: { await waiting.untilBegun() })
    }
    #expect(code == .unavailable)
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
