import GRPCCore
import Synchronization
import Testing

@testable import UserServiceClient

/// Times here are chosen so that a slow machine makes no test fail: what is to end in time never ends by itself.
@Suite(.timeLimit(.minutes(10))) struct IdleLimitTests {
  /// Until the task is cancelled: no time is waited for.
  private func forever() async throws { try await Task.sleep(for: .seconds(100_000)) }

  private func isCutOff(
    first: Duration, then: Duration, _ body: @escaping @Sendable (IdleLimit) async throws -> Void
  ) async -> Bool {
    do {
      try await IdleLimit.run(first: first, then: then, body)
      return false
    } catch {
      return (error as? RPCError)?.code == .deadlineExceeded
    }
  }

  @Test("who waits for the service for too long is cut off, from the beginning and after a sign of it")
  func limit() async {
    #expect(await isCutOff(first: .milliseconds(10), then: .seconds(100_000)) { _ in try await forever() })
    #expect(
      await isCutOff(first: .seconds(100_000), then: .milliseconds(10)) { idle in
        idle.restart()
        try await forever()
      })
    #expect(
      await isCutOff(first: .milliseconds(10), then: .milliseconds(10)) { idle in
        try idle.pause()
        idle.restart()
        try await forever()
      })
  }

  @Test("what does not wait for the service may take its time, and what ends has its result")
  func pause() async throws {
    let value = try await IdleLimit.run(first: .seconds(100_000), then: .seconds(1)) { idle in
      idle.restart()
      try idle.pause()
      // What is tested is that a time passes in which nothing happens.
      try await Task.sleep(for: .seconds(2))
      return 7
    }
    #expect(value == 7)
    await #expect(throws: CancellationError.self) {
      try await IdleLimit.run(first: .seconds(1), then: .seconds(1)) { _ in throw CancellationError() }
    }
  }

  @Test("what is being cut off does not go on as if it were done")
  func late() async {
    let wasRefused = Mutex(false)
    let isCutOff = await isCutOff(first: .milliseconds(10), then: .seconds(100_000)) { idle in
      do {
        try await forever()
      } catch {
        // Cut off: as a page that has come at the last moment.
        do {
          try idle.pause()
        } catch {
          wasRefused.withLock { $0 = true }
        }
        throw error
      }
    }
    #expect(isCutOff && wasRefused.withLock { $0 })
  }

  @Test("a stream of updates waits for the service only while it owes an answer that nobody is reading")
  func updates() async throws {
    let unanswered = UnansweredUpdates()
    #expect(
      await isCutOff(first: .seconds(100_000), then: .milliseconds(10)) { idle in
        try idle.pause()
        unanswered.sent(idle)
        try await forever()
      })
    let answered = UnansweredUpdates()
    try await IdleLimit.run(first: .seconds(100_000), then: .seconds(1)) { idle in
      try idle.pause()
      answered.sent(idle)
      answered.sent(idle)
      try answered.received(idle)
      // As in `pause()`.
      try await Task.sleep(for: .seconds(2))
    }
    #expect(
      await isCutOff(first: .seconds(100_000), then: .milliseconds(10)) { idle in
        answered.taken(idle)
        try await forever()
      })
  }
}
