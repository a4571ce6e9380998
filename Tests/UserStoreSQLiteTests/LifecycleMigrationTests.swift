import Foundation
import GRDB
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

/// Tests the migration of a user's life: what it makes of the users of an earlier version, and what is left on the way back.
@Suite(.tags(.io)) struct LifecycleMigrationTests {
  private let directory: TemporaryDirectory
  private let path: String
  private let migrator: SQLiteMigrator
  /// The version before the migration.
  private let before: Int

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("users.db")
    migrator = SQLiteMigrator(path: path)
    before =
      try #require(Migration.embedded.first { $0.name == "user_lifecycle" }, "no such migration").version - 1
    try migrator.up(to: before)
  }

  private func withDatabase<Value>(_ body: (Database) throws -> Value) throws -> Value {
    let queue = try DatabaseQueue(path: path)
    let value = try queue.writeWithoutTransaction(body)
    try queue.close()
    return value
  }

  /// Stores a user as the earlier version did.
  private func store(_ id: UserID, _ name: String, createdAt: Timestamp, status: Int = 1) throws {
    try withDatabase { database in
      try database.execute(
        sql: "INSERT INTO users (id, email, email_key, name, status, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        arguments: [
          id.withUnsafeBytes { Data($0) }, "\(id)@example.com", "\(id)@example.com", name, status,
          createdAt.microsecondsSinceEpoch,
        ])
    }
  }

  private func rows() throws -> [Row] {
    try withDatabase { try Row.fetchAll($0, sql: "SELECT * FROM users ORDER BY id") }
  }

  private let time = Timestamp(microsecondsSinceEpoch: 1_764_000_000_123_456)

  @Test(
    "users of the earlier version are found by name, status and time, and listed in the order of creation")
  func up() async throws {
    var ids = UserIDGenerator()
    let native = ids.next(at: time)
    // Its clock was ahead when it got its id.
    let ahead = ids.next(at: time + .seconds(60))
    let random = UserID(high: 0xffff_0000_0000_4000, low: 1 << 63)
    try store(native, "Érica", createdAt: time)
    try store(ahead, "Ada", createdAt: time - .seconds(60), status: 2)
    try store(random, "", createdAt: time - .seconds(30))
    try migrator.up()
    let repository = try SQLiteUserRepository(.file(path))
    func list(_ filter: String) async throws -> [UserID] {
      let query = UserQuery(filter: try UserFilter(parsing: filter))
      var listing = try await UserListing(repository: repository, query: query, after: nil, pageSize: 10)
      var ids: [UserID] = []
      while let page = try await listing.nextPage() { ids += page.map(\.id) }
      return ids
    }
    #expect(try await list("") == [ahead, random, native])
    #expect(try await list("name = \"éri*\"") == [native])
    #expect(try await list("name = ada") == [ahead])
    #expect(try await list("status = INACTIVE") == [ahead])
    #expect(try await list("create_time < \"\(time)\"") == [ahead, random])
    #expect(try await list("update_time >= \"\(time - .seconds(31))\"") == [random, native])
    let user = try #require(try repository.user(id: native))
    #expect(user.updatedAt == user.createdAt && user.deletion == nil && user.labels.isEmpty)
    try await repository.close()
  }

  @Test("the way back leaves users as they were, and deleted ones inactive")
  func down() async throws {
    var ids = UserIDGenerator()
    let (kept, deleted) = (ids.next(at: time), ids.next(at: time))
    try store(kept, "Ada", createdAt: time)
    try store(deleted, "Bob", createdAt: time)
    let stored = try rows()
    try migrator.up()
    let repository = try SQLiteUserRepository(.file(path))
    _ = try await repository.update(kept, UserChanges(labels: UserLabels(["a": "b"])))
    _ = try await repository.delete(
      deleted, .soft(retention: .seconds(60), allowsDeleted: false), UserWrite())
    try await repository.close()
    try migrator.down(to: before)
    let left = try rows()
    #expect(left.first == stored.first)
    #expect(left.last?["status"] == 2)
    #expect(left.map { $0["email"] as String? } == stored.map { $0["email"] })
    try migrator.up()
    try migrator.verify()
  }

  @Test("a migration that takes long reports what it does")
  func progress() throws {
    try withDatabase { database in
      try database.inTransaction {
        for number in 0..<30_000 {
          let id = UserID(high: UInt64(number), low: 1 << 63)
          try database.execute(
            sql:
              "INSERT INTO users (id, email, email_key, name, status, created_at) VALUES (?, ?, ?, ?, 1, 0)",
            arguments: [id.withUnsafeBytes { Data($0) }, "\(number)", "\(number)", "Name \(number)"])
        }
        return .commit
      }
    }
    var statements: [String] = []
    var migrations: Set<String> = []
    for isUp in [true, false] {
      let note = { (progress: MigrationProgress) in
        statements.append(progress.statement)
        migrations.insert(progress.migration.id)
        #expect(progress.elapsed >= .zero)
      }
      if isUp {
        try migrator.up(to: nil, report: { _ in }, progress: note)
      } else {
        try migrator.down(to: before, report: { _ in }, progress: note)
      }
    }
    #expect(migrations == [Migration.embedded[before].id])
    #expect(statements.contains { $0.hasPrefix("CREATE INDEX users_by_name") })
    #expect(statements.contains { $0.hasPrefix("ALTER TABLE users DROP COLUMN") })
    #expect(statements.allSatisfy { $0.count <= 60 && !$0.contains("--") && !$0.contains("\n") })
  }
}
