import Synchronization
import TestSupport
import Testing
import UserStoreSQLite

@testable import UserDomain

/// Tests what happens while the read of the earlier failures waits, with the real store and a manual clock.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct PasswordAttemptsTests {
  private let repository: SQLiteUserRepository
  private let clock = ManualClock()
  private let account = SignInAccount.user(UserID(high: 1, low: 1))
  private let source = SignInSource.network(PeerNetwork(peer: "ipv4:192.0.2.1:50000"))

  init() throws {
    repository = try SQLiteUserRepository(.inMemory)
  }

  /// A place where tasks wait until a test opens it.
  private final class Gate: Sendable {
    private let stream = AsyncStream.makeStream(of: Void.self)
    private let arrivals = Mutex(0)

    var isReached: Bool { arrivals.withLock { $0 > 0 } }

    /// Returns when the gate is open, or the task is cancelled.
    func pass() async {
      arrivals.withLock { $0 += 1 }
      for await _ in stream.stream {}
    }

    func open() { stream.continuation.finish() }
  }

  /// Holds back the outcome of the second read of a history, which becomes stale meanwhile.
  private final class HeldHistory: SignInAttemptRepository {
    let gate = Gate()
    private let base: any SignInAttemptRepository
    private let reads = Mutex(0)

    init(_ base: any SignInAttemptRepository) {
      self.base = base
    }

    func history(
      of account: SignInAccount, from source: SignInSource, now: Timestamp
    ) async throws(UserError) -> SignInHistory {
      let history = try await base.history(of: account, from: source, now: now)
      let number = reads.withLock { count in
        count += 1
        return count
      }
      if number == 2 { await gate.pass() }
      if Task.isCancelled { throw .cancelled }
      return history
    }

    func deviceUser(_ session: SessionID) async throws(UserError) -> UserID? {
      try await base.deviceUser(session)
    }

    func noteFailure(
      of account: SignInAccount, from source: SignInSource, now: Timestamp
    ) async throws(UserError) {
      try await base.noteFailure(of: account, from: source, now: now)
    }

    func forgetFailures(of account: SignInAccount, from source: SignInSource) async throws(UserError) {
      try await base.forgetFailures(of: account, from: source)
    }

    func unlock(_ user: UserID) async throws(UserError) -> Int { try await base.unlock(user) }
  }

  /// Uses up the failures without a wait: from now on attempts run one at a time.
  private func fail() async throws {
    for _ in 0..<SignInAttempts.freeFailures {
      try await repository.noteFailure(of: account, from: source, now: clock.now)
    }
    clock.advance(by: .seconds(61))
  }

  /// Begins an attempt with a wrong password.
  private func guess(
    _ attempts: PasswordAttempts, _ check: @escaping @Sendable () async -> Void
  ) -> Task<UserError?, Never> {
    Task { [account, source] in
      do throws(UserError) {
        try await attempts.attempt(account, from: source) { () async throws(UserError) in
          await check()
          throw .wrongCredentials
        }
        return nil
      } catch {
        return error
      }
    }
  }

  @Test("an attempt whose read misses the failure of an earlier one waits for it, and reads again")
  func staleRead() async throws {
    try await fail()
    let store = HeldHistory(repository)
    let attempts = PasswordAttempts(store) { [clock] in clock.now }
    let checking = Gate()
    let earlier = guess(attempts) { await checking.pass() }
    try await eventually("the earlier attempt is checked") { checking.isReached }
    let checks = Gate()
    let later = guess(attempts) { await checks.pass() }
    try await eventually("the later attempt has read, without the failure") { store.gate.isReached }
    checking.open()
    #expect(await earlier.value == .wrongCredentials)
    checks.open()
    store.gate.open()
    #expect(await later.value == .tooManyAttempts(retryAfter: .seconds(1)))
    #expect(!checks.isReached)
  }

  @Test("an attempt that is cancelled while its read waits holds up no other")
  func cancelledRead() async throws {
    let store = HeldHistory(repository)
    let attempts = PasswordAttempts(store) { [clock] in clock.now }
    #expect(await guess(attempts) {}.value == .wrongCredentials)
    try await fail()
    let cancelled = guess(attempts) {}
    try await eventually("the read waits") { store.gate.isReached }
    cancelled.cancel()
    #expect(await cancelled.value == .cancelled)
    clock.advance(by: .seconds(61))
    #expect(await guess(attempts) {}.value == .wrongCredentials)
  }
}
