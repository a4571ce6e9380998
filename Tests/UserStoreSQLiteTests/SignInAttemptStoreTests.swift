import Foundation
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

/// Tests the counts of failures and the known devices in a file, across restarts and processes, and their bounds.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct SignInAttemptStoreTests {
  private let directory: TemporaryDirectory
  private let clock = ManualClock()
  private let network = SignInSource.network(PeerNetwork(peer: "ipv4:192.0.2.1:50000"))

  init() throws {
    directory = try TemporaryDirectory()
  }

  private func open() throws -> SQLiteUserRepository {
    try SQLiteUserRepository(
      .file(directory.path("users.db")), schema: .migrate, configuration: .init(),
      writes: WriteSettings(clock: { [clock] in clock.now }))
  }

  private func rows(_ table: String) async throws -> Int? {
    let other = try OtherConnection(directory.path("users.db"))
    defer { try? other.close() }  // What was read is what counts.
    return try await other.firstInteger("SELECT count(*) FROM \(table)")
  }

  private func session(of user: UserID) -> Session {
    Session(
      id: .random(), userID: user, tokenHash: [UInt8](repeating: 1, count: 32), rotatedAt: clock.now,
      expiresAt: clock.now + .seconds(86_400), keptUntil: clock.now + .seconds(86_400))
  }

  @Test("failures are counted per network and per account, and survive a restart")
  func restart() async throws {
    var repository = try open()
    let account = SignInAccount.unknown(try EmailAddress("ada@example.com"))
    let other = SignInSource.network(PeerNetwork(peer: "unix"))
    for _ in 0..<3 { try await repository.noteFailure(of: account, from: network, now: clock.now) }
    try await repository.noteFailure(of: account, from: other, now: clock.now)
    try await repository.close()
    repository = try open()
    let history = try repository.history(of: account, from: network, now: clock.now)
    #expect(history.source == SignInAttempts(failures: 3, lastAt: clock.now))
    #expect(history.accountFailures == 4)
    #expect(try repository.history(of: account, from: other, now: clock.now).source.failures == 1)
    let nobody = SignInAccount.unknown(try EmailAddress("bob@example.com"))
    #expect(try repository.history(of: nobody, from: network, now: clock.now).accountFailures == 0)
    try await repository.close()
  }

  @Test("expired counts are deleted, also those of a clock that was ahead, but no user's lock")
  func clearing() async throws {
    let repository = try open()
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
      // Each failure corrects a few times, and deletes a few rows once these times have passed.
      if step == 20 { clock.advance(by: SignInAttempts.accountRetention + .seconds(1)) }
      let last = SignInAccount.unknown(try EmailAddress("last@example.com"))
      try await repository.noteFailure(of: last, from: network, now: clock.now)
    }
    #expect(try await rows("sign_in_attempts") == 1)
    #expect(try await rows("sign_in_accounts") == 2)
    let history = try repository.history(of: .user(user.id), from: network, now: clock.now)
    #expect(history.accountFailures == SignInAttempts.accountLimit)
    try await repository.close()
  }

  @Test("a table of failures has no more rows than its capacity, and the oldest are deleted")
  func capacity() throws {
    let connection = try SQLiteConnection(.inMemory, .create)
    try SchemaMigrator(connection, at: .inMemory, migrations: Migration.embedded).up()
    let table = try AttemptTable(connection, AttemptTable.accounts, capacity: 100)
    let insert = try connection.prepare("INSERT INTO sign_in_accounts VALUES (randomblob(32), 1, ?1)")
    let count = try connection.prepare("SELECT count(*), min(last_at) FROM sign_in_accounts")
    for number in 0..<1_000 {
      try insert.bind(Int64(number), at: 1)
      try insert.run()
      try table.rowWasAdded()
      _ = try count.step()
      #expect(count.integer(at: 0) <= 100)
      if number == 999 { #expect(count.integer(at: 1) > 800) }
      count.reset()
    }
  }

  @Test(
    "a user has at most 100 known devices: the one used longest ago is forgotten",
    arguments: [30, 3_650])
  func devices(daysAhead: Int64) async throws {
    let repository = try open()
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
    #expect(try repository.deviceUser(early.id) == nil)
    for id in known { #expect(try repository.deviceUser(id) == user) }
    clock.advance(by: SignInAttempts.deviceRetention + .seconds(1))
    for _ in 0..<13 { try await repository.create(session(of: user), epoch: 0, from: network) }
    #expect(try await rows("known_devices") == 13)
    try await repository.close()
  }

  @Test("unlocking by another process takes effect at once")
  func unlockElsewhere() async throws {
    let (serving, operating) = (try open(), try open())
    let user = try await serving.create(.sample(1)).id
    for _ in 0..<SignInAttempts.accountLimit {
      try await serving.noteFailure(of: .user(user), from: network, now: clock.now)
    }
    #expect(try await operating.unlock(user) == SignInAttempts.accountLimit)
    #expect(try await operating.unlock(user) == 0)
    // An earlier snapshot lives for 5 ms.
    try await serving.forgetFailures(of: .unknown(EmailAddress("x@example.com")), from: network)
    #expect(try serving.history(of: .user(user), from: network, now: clock.now).accountFailures == 0)
    try await operating.close()
    try await serving.close()
  }

  @Test("devices that are signed in during the migration are known")
  func migrated() async throws {
    let path = directory.path("users.db")
    let before = Migration.embedded.prefix { $0.name != "create_sign_in_counters" }
    let connection = try SQLiteConnection(.file(path), .create)
    try SchemaMigrator(connection, at: .file(path), migrations: Array(before)).up()
    try connection.close()
    let other = try OtherConnection(path)
    try await other.execute(
      """
      INSERT INTO users VALUES (randomblob(16), 'a@b', 'a@b', '', 1, 0);
      INSERT INTO sessions (id, user_id, token_hash, rotated_at, expires_at, kept_until)
        SELECT zeroblob(16), id, randomblob(32), 1, 2, 2 FROM users;
      INSERT INTO sign_in_attempts VALUES (randomblob(32), 7, 1);
      """)
    try other.close()
    let repository = try open()
    let id = try #require(SessionID(bytes: [UInt8](repeating: 0, count: 16)))
    #expect(
      try repository.deviceUser(id) == repository.credential(email: EmailAddress(trusted: "a@b"))?.user.id)
    #expect(try await rows("sign_in_attempts") == 0)
    try await repository.close()
  }
}
