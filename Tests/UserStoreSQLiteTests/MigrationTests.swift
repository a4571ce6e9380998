import Foundation
import GRDB
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

@Suite(.tags(.io)) struct MigrationTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("users.db")
  }

  private static let first = Migration(
    version: 1, name: "first", up: "CREATE TABLE parents (id INTEGER PRIMARY KEY);",
    down: "DROP TABLE parents;")
  private static let second = Migration(
    version: 2, name: "second",
    up: """
      CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents (id));
      INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1, 1);
      """,
    down: "DELETE FROM children; DELETE FROM parents; DROP TABLE children;")

  private func migrator(_ migrations: Migration...) -> SQLiteMigrator {
    SQLiteMigrator(path: path, migrations: migrations, lockTimeout: .milliseconds(100))
  }

  /// Returns every byte of the database, as SQL: it decides whether anything changed.
  private func contents() throws -> [String] {
    let queue = try DatabaseQueue(path: path)
    // The test is about the content read, not the closing.
    defer { try? queue.close() }
    return try queue.read { database in
      try String.fetchAll(database, sql: "SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name")
        + Row.fetchAll(database, sql: "SELECT * FROM schema_migrations").map(\.description)
        + String.fetchAll(database, sql: "SELECT application_id FROM pragma_application_id")
    }
  }

  @Test("the compiled migrations are the folder's, byte for byte")
  func embedded() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("migrations")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
      $0.hasSuffix(".sql")
    }
    #expect(Set(names) == Set(Migration.embedded.flatMap { ["\($0.id).up.sql", "\($0.id).down.sql"] }))
    for migration in Migration.embedded {
      #expect(
        try Data(contentsOf: folder.appendingPathComponent("\(migration.id).up.sql"))
          == Data(migration.up.utf8))
      #expect(
        try Data(contentsOf: folder.appendingPathComponent("\(migration.id).down.sql"))
          == Data(migration.down.utf8))
    }
    #expect(Migration.embedded.map(\.version) == Array(1...Migration.embedded.count))
  }

  @Test("every compiled migration goes up, down and up again")
  func embeddedRoundTrip() throws {
    let migrator = SQLiteMigrator(path: path)
    #expect(try migrator.up() == Migration.embedded.count)
    let schema = try contents().filter { $0.hasPrefix("CREATE") }
    for version in stride(from: Migration.embedded.count - 1, through: 0, by: -1) {
      #expect(try migrator.down() == version)
    }
    #expect(try contents().filter { $0.hasPrefix("CREATE") }.count == 1)
    #expect(try migrator.up() == Migration.embedded.count)
    #expect(try contents().filter { $0.hasPrefix("CREATE") } == schema)
    try migrator.verify()
  }

  @Test("status shows the state of each migration")
  func status() throws {
    try migrator(Self.first).up()
    let lines = try migrator(Self.first, Self.second).status().lines
    #expect(lines.map(\.version) == [1, 2])
    guard case .applied = lines[0].state, case .pending = lines[1].state else {
      Issue.record("\(lines)")
      return
    }
  }

  @Test("every operation refuses an edited applied migration, and nothing changes")
  func edited() throws {
    try migrator(Self.first).up()
    let before = try contents()
    let edited = Migration(version: 1, name: "first", up: Self.first.up + " ", down: Self.first.down)
    let error = StoreError.edited(path: path, migration: "0001_first")
    #expect(throws: error) { try migrator(edited, Self.second).up() }
    #expect(throws: error) { try migrator(edited, Self.second).down() }
    #expect(throws: error) { try migrator(edited).verify() }
    guard case .edited = try migrator(edited).status().lines.first?.state else {
      Issue.record("status does not report it")
      return
    }
    #expect(try contents() == before)
  }

  @Test("every operation refuses a database newer than the program, and nothing changes")
  func newer() throws {
    let third = Migration(version: 3, name: "third", up: "SELECT 1;", down: "SELECT 1;")
    try migrator(Self.first, Self.second, third).up()
    let before = try contents()
    let error = StoreError.newer(path: path, version: 3, newestKnown: 2)
    #expect(throws: error) { try migrator(Self.first, Self.second).up() }
    #expect(throws: error) { try migrator(Self.first, Self.second).down() }
    #expect(throws: error) { try migrator(Self.first, Self.second).verify() }
    #expect(try migrator(Self.first, Self.second).status().lines.last?.name == "third")
    #expect(try contents() == before)
  }

  @Test("a repository refuses a database migrated by a newer program")
  func newerRepository() throws {
    let known = Migration.embedded.count
    let next = Migration(version: known + 1, name: "next", up: "SELECT 1;", down: "SELECT 1;")
    try SQLiteMigrator(path: path, migrations: Migration.embedded + [next]).up()
    #expect(throws: StoreError.newer(path: path, version: known + 1, newestKnown: known)) {
      try SQLiteUserRepository(.file(path))
    }
  }

  @Test("a hole in the history is refused")
  func brokenHistory() throws {
    try migrator(Self.first, Self.second).up()
    let queue = try DatabaseQueue(path: path)
    try queue.write { try $0.execute(sql: "DELETE FROM schema_migrations WHERE version = 1") }
    try queue.close()
    #expect(throws: StoreError.brokenHistory(path: path, missing: 1)) {
      try migrator(Self.first, Self.second).up()
    }
  }

  @Test("another program's database is refused and keeps its journal mode", arguments: [0, 42])
  func foreign(applicationID: Int) throws {
    let queue = try DatabaseQueue(path: path)
    try queue.write { database in
      try database.execute(sql: "CREATE TABLE theirs (a); PRAGMA application_id = \(applicationID)")
    }
    try queue.close()
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    let error = StoreError.notUserService(path: path, applicationID: Int32(applicationID))
    #expect(throws: error) { try SQLiteMigrator(path: path).up() }
    #expect(throws: error) { try SQLiteMigrator(path: path).down() }
    #expect(throws: error) { try SQLiteMigrator(path: path).status() }
    #expect(throws: error) { try SQLiteMigrator(path: path).verify() }
    #expect(throws: error) { try SQLiteUserRepository(.file(path)) }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["users.db"])
  }

  @Test("a migration that fails half-way leaves no trace, and keeps the earlier ones")
  func failure() throws {
    let broken = Migration(
      version: 2, name: "broken", up: "CREATE TABLE half (a); INSERT INTO nowhere VALUES (1);", down: "")
    let error = #expect(throws: StoreError.self) { try migrator(Self.first, broken).up() }
    #expect(error?.description.contains("0002_broken") == true)
    #expect(error?.description.contains("nowhere") == true)
    #expect(try contents().contains { $0.contains("half") } == false)
    #expect(try migrator(Self.first).status().version == 1)
  }

  @Test("a migration that leaves foreign-key violations is rolled back")
  func foreignKeys() throws {
    try migrator(Self.first, Self.second).up()
    let before = try contents()
    let orphaning = Migration(version: 3, name: "orphaning", up: "DELETE FROM parents;", down: "")
    #expect(
      throws: StoreError.migration(.foreignKeyViolations(migration: "0003_orphaning", tables: ["children"]))
    ) {
      try migrator(Self.first, Self.second, orphaning).up()
    }
    #expect(try contents() == before)
  }

  @Test("a migration may rebuild a table that others refer to")
  func rebuild() throws {
    let rebuild = Migration(
      version: 3, name: "rebuild",
      up: """
        CREATE TABLE new_parents (id INTEGER PRIMARY KEY, note TEXT);
        INSERT INTO new_parents (id) SELECT id FROM parents;
        DROP TABLE parents;
        ALTER TABLE new_parents RENAME TO parents;
        """, down: "")
    #expect(try migrator(Self.first, Self.second, rebuild).up() == 3)
  }

  @Test("a migration that ends its own transaction is refused")
  func endsTransaction() throws {
    let ending = Migration(version: 1, name: "ending", up: "COMMIT; SELECT 1;", down: "")
    let error = #expect(throws: StoreError.self) { try migrator(ending).up() }
    #expect(error?.description.contains("transaction") == true)
  }

  @Test("a wrong target is refused", arguments: [-1, 3, Int.max, Int.min])
  func wrongTarget(target: Int) throws {
    try migrator(Self.first, Self.second).up()
    let error = StoreError.migration(.unknownVersion(target, newestKnown: 2))
    #expect(throws: error) { try migrator(Self.first, Self.second).up(to: target) }
    #expect(throws: error) { try migrator(Self.first, Self.second).down(to: target) }
  }

  @Test("up never goes down, and down never goes up")
  func wrongDirection() throws {
    try migrator(Self.first, Self.second).up(to: 1)
    #expect(throws: StoreError.migration(.wrongDirection(from: 1, to: 0))) {
      try migrator(Self.first, Self.second).up(to: 0)
    }
    #expect(throws: StoreError.migration(.wrongDirection(from: 1, to: 2))) {
      try migrator(Self.first, Self.second).down(to: 2)
    }
  }

  @Test("each migration is applied by exactly one of many concurrent migrators")
  func concurrent() async throws {
    let migrator = SQLiteMigrator(path: path, migrations: [Self.first, Self.second])
    let applied = try await withThrowingTaskGroup(of: [Int].self) { group in
      for _ in 0..<8 {
        group.addTask {
          try await withCheckedThrowingContinuation { continuation in
            // Each has its own thread, because waiting for the lock blocks.
            Thread.detachNewThread {
              continuation.resume(
                with: Result {
                  var versions: [Int] = []
                  try migrator.up(to: nil, report: { versions.append($0.version) }, progress: nil)
                  return versions
                })
            }
          }
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(applied.sorted() == [1, 2])
  }

  @Test("a migrator that waits too long for the lock says that another process holds it")
  func locked() async throws {
    try migrator(Self.first).up()
    let other = try OtherConnection(path)
    try await other.execute("BEGIN IMMEDIATE")
    let error = #expect(throws: StoreError.self) { try migrator(Self.first, Self.second).up() }
    #expect(error?.description.contains("another process holds the database") == true)
    try await other.execute("ROLLBACK")
    try other.close()
  }

  @Test("a repository that must not migrate names the pending migrations")
  func requireCurrent() throws {
    #expect(throws: StoreError.missing(path: path)) {
      try SQLiteUserRepository(.file(path), schema: .requireCurrent)
    }
    #expect(!FileManager.default.fileExists(atPath: path))
    try SQLiteMigrator(path: path).up(to: 1)
    #expect(
      throws: StoreError.pending(
        path: path,
        migrations: Migration.embedded.dropFirst().map(\.id))
    ) {
      try SQLiteUserRepository(.file(path), schema: .requireCurrent)
    }
    try SQLiteMigrator(path: path).up()
    _ = try SQLiteUserRepository(.file(path), schema: .requireCurrent)
  }

  @Test("every refusal is one line that names the file or the migration")
  func messages() {
    // The names occur in no sentence by themselves.
    let (path, migration) = ("users-7.db", "0042_pets")
    let ofTheFile: [StoreError] = [
      .missing(path: path), .inaccessible(path: path, reason: "r"), .notSQLite(path: path),
      .notUserService(path: path, applicationID: 1), .newer(path: path, version: 3, newestKnown: 2),
      .edited(path: path, migration: migration), .brokenHistory(path: path, missing: 1),
      .withoutTables(path: path), .strayLog(path: path), .unreadableLog(path: path),
      .served(path: path, process: 1), .served(path: path, process: nil),
      .pending(path: path, migrations: [migration]),
      .storage(path: path, .init(kind: .full, resultCode: 13, message: "m")),
    ]
    let ofTheMigration: [StoreError] = [
      .migration(.failed(migration: migration, reason: "r")),
      .migration(.foreignKeyViolations(migration: migration, tables: ["t"])),
      .edited(path: path, migration: migration),
      .pending(path: path, migrations: [migration]),
    ]
    for error in ofTheFile { #expect(error.description.contains(path)) }
    for error in ofTheMigration { #expect(error.description.contains(migration)) }
    for error in ofTheFile + ofTheMigration { #expect(!error.description.contains("\n")) }
  }
}
