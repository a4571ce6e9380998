import Foundation
import TestSupport
import Testing
import UserDomain
import UserStore

/// Tests the counts of failures and the known devices in a file, across restarts and processes, and their bounds.
@Suite(.tags(.io), .fewAtOnce, .timeLimit(.minutes(10))) struct SignInAttemptStoreTests {
  private let fixture: StoreFixture
  private let clock = ManualClock()
  private let network = SignInSource.network(PeerNetwork(peer: "ipv4:192.0.2.1:50000"))

  init() throws {
    fixture = try StoreFixture(clock: clock)
  }

  private func rows(_ table: String, _ engine: Engine) async throws -> Int? {
    let other = try await fixture.other(engine)
    let count = try await other.count(table)
    try await other.close()
    return count
  }

  private func session(of user: UserID) -> Session {
    Session(
      id: .random(), userID: user, tokenHash: [UInt8](repeating: 1, count: 32), rotatedAt: clock.now,
      expiresAt: clock.now + .seconds(86_400), keptUntil: clock.now + .seconds(86_400))
  }

  @Test("failures are counted per network and per account, and survive a restart", arguments: Engine.durable)
  func restart(engine: Engine) async throws {
    var repository = try await fixture.open(engine)
    let account = SignInAccount.unknown(try EmailAddress("ada@example.com"))
    let other = SignInSource.network(PeerNetwork(peer: "unix"))
    for _ in 0..<3 { try await repository.noteFailure(of: account, from: network, now: clock.now) }
    try await repository.noteFailure(of: account, from: other, now: clock.now)
    try await repository.close()
    repository = try await fixture.open(engine)
    let history = try await repository.history(of: account, from: network, now: clock.now)
    #expect(history.source == SignInAttempts(failures: 3, lastAt: clock.now))
    #expect(history.accountFailures == 4)
    #expect(try await repository.history(of: account, from: other, now: clock.now).source.failures == 1)
    let unknown = SignInAccount.unknown(try EmailAddress("bob@example.com"))
    #expect(try await repository.history(of: unknown, from: network, now: clock.now).accountFailures == 0)
    try await repository.close()
  }

  @Test(
    "expired counts are deleted, also those of a clock that was ahead, but no user's lock",
    arguments: Engine.durable)
  func clearing(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1))
    clock.advance(by: .seconds(3_650 * 86_400))
    for _ in 0..<SignInAttempts.accountLimit {
      try await repository.noteFailure(of: .user(user.id), from: network, now: clock.now)
    }
    for number in 0..<40 {
      let account = SignInAccount.unknown(try EmailAddress("u\(number)@example.com"))
      try await repository.noteFailure(of: account, from: network, now: clock.now)
    }
    clock.advance(by: .seconds(-3_650 * 86_400))
    for step in 0..<40 {
      // Times are corrected, and rows deleted once these times have passed, with each failure or purge.
      if step == 20 { clock.advance(by: SignInAttempts.accountRetention + .seconds(1)) }
      let last = SignInAccount.unknown(try EmailAddress("last@example.com"))
      try await repository.noteFailure(of: last, from: network, now: clock.now)
      _ = try await repository.purge(at: clock.now)
    }
    #expect(try await rows("sign_in_attempts", engine) == 1)
    #expect(try await rows("sign_in_accounts", engine) == 2)
    let history = try await repository.history(of: .user(user.id), from: network, now: clock.now)
    #expect(history.accountFailures == SignInAttempts.accountLimit)
    try await repository.close()
  }

  @Test(
    "a user has at most 100 known devices: the one used longest ago is forgotten",
    arguments: Engine.durable, [30, 3_650])
  func devices(engine: Engine, daysAhead: Int64) async throws {
    let repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1)).id
    // The clock was ahead: these devices make room all the same.
    clock.advance(by: .seconds(daysAhead * 86_400))
    let early = session(of: user)
    try await repository.create(early, epoch: 0, from: network)
    clock.advance(by: .seconds(-daysAhead * 86_400))
    var known: [SessionID] = []
    for _ in 0..<SignInAttempts.devicesPerUser {
      clock.advance(by: .seconds(1))
      let next = session(of: user)
      try await repository.create(next, epoch: 0, from: network)
      known.append(next.id)
    }
    #expect(try await repository.deviceUser(early.id) == nil)
    for id in known { #expect(try await repository.deviceUser(id) == user) }
    clock.advance(by: SignInAttempts.deviceRetention + .seconds(1))
    for _ in 0..<13 { try await repository.create(session(of: user), epoch: 0, from: network) }
    _ = try await repository.purge(at: clock.now)
    #expect(try await rows("known_devices", engine) == 13)
    try await repository.close()
  }

  @Test("unlocking by another process takes effect at once", arguments: Engine.durable)
  func unlockElsewhere(engine: Engine) async throws {
    let (serving, operating) = (try await fixture.open(engine), try await fixture.open(engine))
    let user = try await serving.create(.sample(1)).id
    for _ in 0..<SignInAttempts.accountLimit {
      try await serving.noteFailure(of: .user(user), from: network, now: clock.now)
    }
    #expect(try await operating.unlock(user) == SignInAttempts.accountLimit)
    #expect(try await operating.unlock(user) == 0)
    // An earlier snapshot lives for 5 ms.
    try await serving.forgetFailures(of: .unknown(EmailAddress("x@example.com")), from: network)
    #expect(try await serving.history(of: .user(user), from: network, now: clock.now).accountFailures == 0)
    try await operating.close()
    try await serving.close()
  }
}
