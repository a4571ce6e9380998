import Foundation
import GRDB
import TestSupport
import Testing
import UserDomain
import UserStore
import UserStorePostgres
import UserStoreSQLite

/// Tests copies between files and servers, of everything that a service stores.
@Suite(.tags(.io), .serialized, .timeLimit(.minutes(10)))
struct DatabaseCopyTests {
  @Test(
    "every row is copied, there and back, and the services' reads are the same",
    arguments: Endpoint.Kind.allCases, Endpoint.Kind.allCases)
  func thereAndBack(from: Endpoint.Kind, to: Endpoint.Kind) async throws {
    let (source, target, back) = (try await Endpoint(from), try await Endpoint(to), try await Endpoint(from))
    let users = try await source.fill()
    let outcome = try source.copy(to: target)
    #expect(outcome.earlier == 0)
    for (table, count) in outcome.rows { #expect(count > 0, "\(table.name)") }
    #expect(outcome.rows.first?.count == users.count)
    #expect(try target.copy(to: back) == outcome)
    #expect(try source.compare(with: back) == outcome)
    #expect(try back.compare(with: target) == outcome)
    if case .file = source { #expect(try contents(of: source.path) == contents(of: back.path)) }
    if case .server(let database) = target {
      let isLast = try database.execute(
        """
        SELECT last_id = (SELECT id FROM users WHERE place IS NULL ORDER BY id DESC LIMIT 1) FROM store_revision
        """)
      #expect(isLast == "t")
    }
    try await expectSameReads(source, target, users)
    try target.migrator.verify()
  }

  /// Returns the rows of all tables of a file, read without the code under test.
  private func contents(of path: String) throws -> [String: [Row]] {
    try DatabaseQueue(path: path).read { database in
      let tables = try String.fetchAll(
        database, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migrations'")
      return try Dictionary(
        uniqueKeysWithValues: tables.map { table in
          (table, try Row.fetchAll(database, sql: "SELECT * FROM \(table) ORDER BY 1, 2"))
        })
    }
  }

  private func expectSameReads(_ source: Endpoint, _ target: Endpoint, _ users: [UserID]) async throws {
    let (old, new) = (try await source.store(), try await target.store())
    for id in users {
      let (left, right) = (try await user(id, in: old), try await user(id, in: new))
      #expect(left == right && left != nil)
      let email = try #require(left).email
      let (one, other) = (try await old.credential(email: email), try await new.credential(email: email))
      #expect(one?.passwordHash == other?.passwordHash && one?.epoch == other?.epoch)
    }
    #expect(try await list(old) == list(new))
    let key = try await old.secret("page-token", length: 32)
    #expect(try await new.secret("page-token", length: 32) == key)
    // Later ids are greater than the copied ones.
    let last = try #require(try await new.lastPlace())
    #expect(try await new.create(.sample(9_999)).id > last)
    try await old.close()
    try await new.close()
  }

  @Test(
    "an interrupted copy goes on after its last batch, and until then no service opens the target",
    arguments: Endpoint.Kind.allCases, [0, 1, 3, 8, 19])
  func resumed(to: Endpoint.Kind, batches: Int) async throws {
    let (source, target) = (try await Endpoint(to == .file ? .server : .file), try await Endpoint(to))
    _ = try await source.fill()
    let (opened, interrupted) = (try source.source(), InterruptedTarget(try target.target(), after: batches))
    #expect(throws: InterruptedTarget.interruption) {
      try DatabaseCopy(opened, batch: 7).run(to: interrupted)
    }
    try opened.close()
    try interrupted.close()
    await #expect(throws: StoreError.self) { try await target.store() }
    #expect(throws: StoreError.self) { try target.source() }
    let outcome = try source.copy(to: target)
    #expect(outcome.earlier == interrupted.stored)
    #expect(try source.compare(with: target).rows.map(\.count) == outcome.rows.map(\.count))
    try await target.store().close()
  }

  @Test(
    "a copy whose rows are not stored as they were read fails, and no service opens its target",
    arguments: Endpoint.Kind.allCases)
  func compared(to: Endpoint.Kind) async throws {
    let (source, target) = (try await Endpoint(.file), try await Endpoint(to))
    _ = try await source.fill()
    let opened = try source.source()
    let changing = InterruptedTarget(try target.target()) { row, table in
      if table.name == "token_epochs", case .integer(let epoch) = row[1] { row[1] = .integer(epoch + 1) }
    }
    #expect { try DatabaseCopy(opened, batch: 7).run(to: changing) } throws: { error in
      guard case .copy(.difference(let difference)) = error as? StoreError else { return false }
      return difference.table == "token_epochs"
        && difference.finding == "epoch is 1 in the source, but 2 in the target"
    }
    try opened.close()
    try changing.close()
    await #expect(throws: StoreError.self) { try await target.store() }
  }

  @Test("a target with data of its own is refused and stays as it is", arguments: Endpoint.Kind.allCases)
  func occupied(to: Endpoint.Kind) async throws {
    let (source, target) = (try await Endpoint(.file), try await Endpoint(to))
    _ = try await source.fill()
    let store = try await target.store()
    let user = try await store.create(.sample(1))
    try await store.close()
    #expect { try source.copy(to: target) } throws: { error in
      guard case .copy(.occupied(_, "users")) = error as? StoreError else { return false }
      return true
    }
    let again = try await target.store()
    #expect(try await list(again) == [user.id])
    try await again.close()
  }

  @Test("the copy of another database is refused and stays as it is", arguments: Endpoint.Kind.allCases)
  func otherSource(to: Endpoint.Kind) async throws {
    let (source, other, target) = (
      try await Endpoint(.file), try await Endpoint(.file), try await Endpoint(to)
    )
    _ = try await source.fill()
    _ = try await other.fill()
    let (opened, interrupted) = (try source.source(), InterruptedTarget(try target.target(), after: 2))
    #expect(throws: InterruptedTarget.interruption) {
      try DatabaseCopy(opened, batch: 7).run(to: interrupted)
    }
    try opened.close()
    try interrupted.close()
    #expect { try other.copy(to: target) } throws: { error in
      guard case .copy(.otherSource) = error as? StoreError else { return false }
      return true
    }
    #expect(try source.copy(to: target).earlier == 14)
  }

  @Test(
    "a changed value, a missing and an added row are found",
    arguments: [
      (
        "UPDATE users SET created_at = created_at + 1 WHERE email = 'user7@example.com'", "users",
        "created_at is"
      ),
      ("UPDATE users SET name = 'x' WHERE email = 'user7@example.com'", "users", "name is"),
      ("UPDATE users SET place = NULL WHERE email = 'user8@example.com'", "users", "place is"),
      ("UPDATE password_credentials SET phc_hash = phc_hash || 'x'", "password_credentials", "phc_hash is"),
      ("UPDATE known_devices SET failures = failures + 1", "known_devices", "failures is"),
      ("DELETE FROM erased_users", "erased_users", "the target lacks it"),
      (
        "DELETE FROM user_labels WHERE user_id = (SELECT max(user_id) FROM user_labels)", "user_labels",
        "lacks it"
      ),
      ("UPDATE revoked_tokens SET subject = NULL", "revoked_tokens", "subject is"),
      (
        "INSERT INTO sign_in_accounts SELECT randomblob(32), failures, last_at FROM sign_in_attempts LIMIT 1",
        "sign_in_accounts", "only the target has it"
      ),
    ])
  func difference(sql: String, table: String, finding: String) async throws {
    let (source, target) = (try await Endpoint(.server), try await Endpoint(.file))
    _ = try await source.fill()
    _ = try source.copy(to: target)
    try target.execute(sql)
    #expect { try source.compare(with: target) } throws: { error in
      guard case .copy(.difference(let difference)) = error as? StoreError else { return false }
      return difference.table == table && difference.finding.contains(finding)
    }
  }

  @Test("a database that a service uses is not copied, and not copied to", arguments: Endpoint.Kind.allCases)
  func served(kind: Endpoint.Kind) async throws {
    let served = try await Endpoint(kind)
    let store = try await served.store()
    // The lock of a file is the process's, not the repository's.
    let lock = kind == .file ? try ServiceLock(database: served.path, mayCreate: false) : nil
    _ = try lock?.acquire()
    #expect { try served.source() } throws: { Self.isInUse($0) }
    #expect { try served.target() } throws: { Self.isInUse($0) }
    lock?.release()
    try await store.close()
    try served.source().close()
  }

  private static func isInUse(_ error: any Error) -> Bool {
    guard case .copy(.inUse) = error as? StoreError else { return false }
    return true
  }

  @Test("while a database is read, another program cannot write to it", arguments: Endpoint.Kind.allCases)
  func locked(kind: Endpoint.Kind) async throws {
    let endpoint = try await Endpoint(kind)
    _ = try await endpoint.fill()
    let source = try endpoint.source()
    #expect(throws: (any Error).self) {
      try endpoint.execute(
        kind == .file
          ? "DELETE FROM revoked_tokens"
          : "SET lock_timeout = '10ms'; UPDATE store_revision SET number = number + 1")
    }
    try source.close()
    try endpoint.execute("DELETE FROM revoked_tokens")
  }

  @Test(
    "a source that lacks a migration is refused, with a target that stays empty",
    arguments: Endpoint.Kind.allCases)
  func pending(kind: Endpoint.Kind) async throws {
    let source = try await Endpoint(kind)
    try source.migrator.up()
    try source.migrator.down()
    #expect { try source.source() } throws: { error in
      guard case .pending = error as? StoreError else { return false }
      return true
    }
  }

  @Test("the columns of the copied tables are those of both schemas", arguments: Endpoint.Kind.allCases)
  func columns(kind: Endpoint.Kind) async throws {
    let endpoint = try await Endpoint(kind)
    try endpoint.migrator.up()
    let own: Set = ["schema_migrations", "store_revision", "revocation_events"]
    let expected = Set(CopiedTable.all.flatMap { table in table.columns.map { "\(table.name).\($0.name)" } })
    let found = try endpoint.columns().filter { !own.contains(String($0.prefix { $0 != "." })) }
    #expect(Set(found) == expected)
  }

  private func user(_ id: UserID, in store: any ServiceStore) async throws -> User? {
    var user: User?
    _ = try await store.readUser(id: id, showsDeleted: true) { user = User($0, email: $1, name: $2) }
    return user
  }

  private func list(_ store: any ServiceStore) async throws -> [UserID] {
    var ids: [UserID] = []
    guard let last = try await store.lastPlace() else { return [] }
    _ = try await store.readUsers(UserQuery(), after: nil, through: last, limit: 1_000) { row, _, _ in
      ids.append(row.id)
    }
    return ids
  }
}
