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
