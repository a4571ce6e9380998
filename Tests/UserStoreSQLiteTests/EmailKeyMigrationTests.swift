import Foundation
import GRDB
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

/// Tests the migration that gives stored addresses the keys of canonical caseless matching.
@Suite(.tags(.io)) struct EmailKeyMigrationTests {
  private let directory: TemporaryDirectory
  private let migrator: SQLiteMigrator
  /// The version before the migration.
  private let before: Int

  init() throws {
    directory = try TemporaryDirectory()
    migrator = SQLiteMigrator(path: directory.path("users.db"))
    before =
      try #require(Migration.embedded.first { $0.name == "canonical_email_keys" }, "no such migration")
      .version - 1
    try migrator.up(to: before)
  }

  private func withDatabase<Value>(_ body: (Database) throws -> Value) throws -> Value {
    let queue = try DatabaseQueue(path: directory.path("users.db"))
    let value = try queue.writeWithoutTransaction(body)
    try queue.close()
    return value
  }

  /// Stores users whose ids end in 1, 2 …, as the earlier version did.
  private func store(_ users: [(email: String, key: String)]) throws {
    try withDatabase { database in
      for (index, user) in users.enumerated() {
        try database.execute(
          sql:
            "INSERT INTO users (id, email, email_key, name, status, created_at) VALUES (?, ?, ?, '', 1, 0)",
          arguments: [Data(count: 15) + [UInt8(index + 1)], user.email, user.key])
      }
    }
  }

  private func keys() throws -> [String] {
    try withDatabase { try String.fetchAll($0, sql: "SELECT email_key FROM users ORDER BY id") }
  }

  @Test("keys are recomputed, and an address finds its user in every spelling")
  func recomputed() throws {
    try store([
      ("ADA@example.com", "ada@example.com"), ("ᾴ@example.gr", "άι@example.gr"),
      ("α\u{345}\u{301}x@example.gr", "αί\u{300}x@example.gr"), ("bob@Bücher.example", "bob@bücher.example"),
      ("eve@💩.la", "eve@💩.la"),
    ])
    try migrator.up()
    #expect(
      try keys() == [
        "ada@example.com", "α\u{301}ι@example.gr", "α\u{301}ιx@example.gr", "bob@xn--bcher-kva.example",
        "eve@💩.la",
      ])
    let users = try SQLiteUserRepository(.file(directory.path("users.db")))
    for text in ["ΆΙX@EXAMPLE.GR", "bob@XN--BCHER-KVA.example", "EVE@💩.la"] {
      #expect(try users.credential(email: EmailAddress(ofAccount: text)) != nil)
    }
    try migrator.down(to: before)
    #expect(try keys()[3...] == ["bob@bücher.example", "eve@💩.la"])
  }

  @Test("a key that moves to where another was does not clash with it")
  func chain() throws {
    // These are not keys of the earlier rule: what counts is that each key moves to the next user's.
    try store([("b@example.com", "c@example.com"), ("a@example.com", "b@example.com")])
    try migrator.up()
    #expect(try keys() == ["b@example.com", "a@example.com"])
  }

  @Test(
    "two users whose addresses become one are named, and nothing is changed",
    arguments: [
      // The migration changes both keys, or one of them.
      ("ada@bücher.example", "ada@BÜCHER.example", "x@example.com"),
      ("ada@xn--bcher-kva.example", "ada@bücher.example", "x@example.com"),
      ("x@example.com", "ada@bücher.example", "ada@xn--bcher-kva.example"),
    ])
  func clash(first: String, second: String, third: String) throws {
    let emails = [first, second, third]
    try store(emails.enumerated().map { ($1, "key \($0)") })
    let error = #expect(throws: StoreError.self) { try migrator.up() }
    let message = error?.description ?? ""
    for (index, email) in emails.enumerated() {
      let id = "00000000-0000-0000-0000-00000000000\(index + 1)"
      #expect(message.contains(id) == !email.hasPrefix("x"), "\(message)")
    }
    #expect(message.contains("canonical_email_keys") && !message.contains("more such pair"))
    #expect(try keys() == ["key 0", "key 1", "key 2"])
    #expect(try migrator.status().version == before)
    #expect(try withDatabase { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_temp_schema") } == 0)
  }

  @Test("the down migration names addresses that the earlier rule cannot tell apart")
  func clashDown() throws {
    try migrator.up()
    try store([("ada@straße.de", "ada@xn--strae-oqa.de"), ("ada@strasse.de", "ada@strasse.de")])
    let error = #expect(throws: StoreError.self) { try migrator.down(to: before) }
    #expect(
      error?.description.contains("-000000000001 and 00000000-") == true, "\(String(describing: error))")
    #expect(try keys() == ["ada@xn--strae-oqa.de", "ada@strasse.de"])
  }
}
