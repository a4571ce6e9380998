import GRPCCore
import Synchronization
import TestSupport
import Testing
import UserProtos

@testable import UserServiceClient

@Suite(.timeLimit(.minutes(10))) struct IdleLimitTests {
  private let clock = VirtualClock()

  private var callClock: CallClock {
    CallClock(now: { [clock] in clock.now }, sleep: { [clock] end in try await clock.sleep(until: end) })
  }

  /// Returns once the limit waits for `duration` from now on.
  private func isWaited(for duration: Duration) async throws {
    try await eventually("the limit waits for \(duration)") { clock.nextWake == clock.now + duration }
  }

  private func run(
    first: Duration, then: Duration, _ body: @escaping @Sendable (IdleLimit) async throws -> Void
  ) async throws {
    try await IdleLimit.run(first: first, then: then, clock: callClock, body)
  }

  private func isCutOff(
    first: Duration, then: Duration, _ body: @escaping @Sendable (IdleLimit) async throws -> Void
  ) async -> Bool {
    let error = await #expect(throws: RPCError.self) { try await run(first: first, then: then, body) }
    return error?.code == .deadlineExceeded
  }

  @Test("a call that waits for the service for too long is cut off")
  func fromTheBeginning() async {
    #expect(
      await isCutOff(first: .seconds(10), then: .seconds(1)) { _ in
        try await isWaited(for: .seconds(10))
        clock.advance(by: .seconds(9))
        try await isWaited(for: .seconds(1))
        clock.advance(by: .seconds(1))
        await untilCancelled()
      })
  }

  @Test("a call is cut off when it has waited for too long after a sign of the service")
  func afterASign() async {
    #expect(
      await isCutOff(first: .seconds(10), then: .seconds(20)) { idle in
        try await isWaited(for: .seconds(10))
        clock.advance(by: .seconds(9))
        idle.restart()
        clock.advance(by: .seconds(1))
        try await isWaited(for: .seconds(19))
        clock.advance(by: .seconds(19))
        await untilCancelled()
      })
  }

  @Test("a call that does not wait for the service may take its time, and has its result")
  func pause() async throws {
    let value = try await IdleLimit.run(first: .seconds(10), then: .seconds(1), clock: callClock) { idle in
      try await isWaited(for: .seconds(10))
      try idle.pause()
      clock.advance(by: .seconds(3_600))
      try await isWaited(for: .seconds(10))
      idle.restart()
      try idle.pause()
      clock.advance(by: .seconds(3_600))
      try await isWaited(for: .seconds(1))
      return 7
    }
    #expect(value == 7)
    await #expect(throws: CancellationError.self) {
      try await run(first: .seconds(1), then: .seconds(1)) { _ in throw CancellationError() }
    }
  }

  @Test("a call that is being cut off does not go on as if it were done")
  func late() async {
    let wasRefused = Mutex(false)
    let isCutOff = await isCutOff(first: .seconds(1), then: .seconds(1)) { idle in
      try await isWaited(for: .seconds(1))
      clock.advance(by: .seconds(1))
      await untilCancelled()
      // As a page that has come at the last moment.
      do {
        try idle.pause()
      } catch {
        wasRefused.withLock { $0 = true }
      }
    }
    #expect(isCutOff && wasRefused.withLock { $0 })
  }

  @Test("a stream of updates waits for the service only while it owes an answer that is not being read")
  func updates() async throws {
    let unanswered = UnansweredUpdates()
    #expect(
      await isCutOff(first: .seconds(10), then: .seconds(1)) { idle in
        try idle.pause()
        unanswered.sent(idle)
        try await isWaited(for: .seconds(1))
        clock.advance(by: .seconds(1))
        await untilCancelled()
      })
    let answered = UnansweredUpdates()
    try await run(first: .seconds(1), then: .seconds(1)) { idle in
      try await isWaited(for: .seconds(1))
      answered.sent(idle)
      answered.sent(idle)
      try answered.received(idle)
      clock.advance(by: .seconds(3_600))
      try await isWaited(for: .seconds(1))
    }
    #expect(
      await isCutOff(first: .seconds(10), then: .seconds(1)) { idle in
        answered.taken(idle)
        try await isWaited(for: .seconds(1))
        clock.advance(by: .seconds(1))
        await untilCancelled()
      })
  }

  @Test("an import waits for the service only while it owes a result")
  func imports() async throws {
    let window = ImportWindow()
    try await run(first: .seconds(1), then: .seconds(1)) { idle in
      try await isWaited(for: .seconds(1))
      _ = window.append(ImportedUser(email: "ada@example.com"))
      #expect(try await window.nextRows(idle)?.count == 1)
      try window.answer(User_V1_ImportUserResult(), idle)
      clock.advance(by: .seconds(3_600))
      try await isWaited(for: .seconds(1))
    }
    #expect(
      await isCutOff(first: .seconds(10), then: .seconds(1)) { idle in
        try idle.pause()
        window.rewind()
        _ = window.append(ImportedUser(email: "bob@example.com"))
        _ = try await window.nextRows(idle)
        try await isWaited(for: .seconds(1))
        clock.advance(by: .seconds(1))
        await untilCancelled()
      })
  }
}
