import Foundation
import GRDB
import GRDBSQLite
import TestSupport
import Testing
import UserDomain

@testable import UserStoreSQLite

/// Tests that a log is never missing anything that a connection, or a restart after a crash, reads in it.
@Suite(.tags(.io)) struct BufferedLogTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("log.db")
  }

  @Test(
    "each commit is read by another connection, and from a copy of the files, whatever syncs it",
    arguments: ["OFF", "NORMAL", "FULL"], [1, 2, 3, 4] as [UInt64])
  func commits(synchronous: String, seed: UInt64) throws {
    let writer = try Connection(path)
    // With so small a cache, pages go to the log in the middle of a transaction, and are changed in it afterwards.
    try writer.execute("PRAGMA journal_mode = WAL; PRAGMA cache_size = 4")
    try writer.execute("PRAGMA synchronous = \(synchronous)")
    try writer.execute("CREATE TABLE texts (id INTEGER PRIMARY KEY, text BLOB)")
    try writer.execute("CREATE INDEX texts_by_text ON texts (text)")
    // The second time has no effect.
    for _ in 0..<2 { writer.bufferLog() }
    #expect(writer.hasBufferedLog)
    let reader = try Connection(path)
    var random = seed
    func next(_ bound: UInt64) -> UInt64 {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (random >> 33) % bound
    }
    for turn in 0..<60 {
      try writer.execute("BEGIN IMMEDIATE")
      for _ in 0..<next(60) {
        switch next(8) {
        case 0:
          try writer.execute("UPDATE texts SET text = randomblob(\(next(900))) WHERE id % 7 = \(next(7))")
        case 1: try writer.execute("DELETE FROM texts WHERE id % 11 = \(next(11))")
        case 2: try writer.execute("INSERT INTO texts (text) VALUES (randomblob(90000))")
        default: try writer.execute("INSERT INTO texts (text) VALUES (randomblob(\(next(6_000))))")
        }
      }
      if next(4) == 0 {
        try writer.execute("ROLLBACK")
        continue
      }
      let written = try writer.content()
      try writer.execute("COMMIT")
      #expect(try reader.content() == written)
      if turn.isMultiple(of: 10) { #expect(try contentAfterCrash(turn) == written) }
      if turn.isMultiple(of: 17) { try writer.execute("PRAGMA wal_checkpoint(PASSIVE)") }
    }
    #expect(try reader.content() == writer.content())
    #expect(writer.hasBufferedLog)
  }

  @Test(
    "a rollback leaves nothing that overwrites the commits of another writer",
    arguments: ["UPDATE", "INSERT"])
  func rollback(change: String) throws {
    let first = try Connection(path)
    try first.execute("PRAGMA journal_mode = WAL; PRAGMA cache_size = 20")
    try first.execute(
      "CREATE TABLE texts (id INTEGER PRIMARY KEY, text BLOB); CREATE TABLE others (id INTEGER)")
    let rows =
      "WITH r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 300) SELECT randomblob(3000) FROM r"
    try first.execute("INSERT INTO texts (text) \(rows)")
    first.bufferLog()
    #expect(first.hasBufferedLog)
    // Then the rollback need not read the log.
    try first.execute("PRAGMA wal_checkpoint(PASSIVE)")
    try first.execute("BEGIN IMMEDIATE")
    // More than the cache has room for, so that pages go to the log.
    try first.execute(
      change == "UPDATE"
        ? "UPDATE texts SET text = randomblob(3000) WHERE id < 150"
        : "INSERT INTO texts (text) SELECT randomblob(3000) FROM texts WHERE id < 150")
    try first.execute("ROLLBACK")
    let second = try Connection(path)
    try second.execute("INSERT INTO texts (text) \(rows)")
    let committed = try second.content()
    // A use of the first connection, which reads the log.
    #expect(try first.content() == committed)
    #expect(try second.content() == committed)
    #expect(try contentAfterCrash(0) == committed)
  }

  @Test(
    "the connection that writes has a buffered log and its hook for rollbacks, in a new database and in an older one"
  )
  func installed() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    _ = try await repository.create(.sample(1))
    /// Takes the hook away. SQLite returns the argument that it had (sqlite.org/c3ref/commit_hook.html).
    func isBuffered(_ repository: SQLiteUserRepository) throws -> Bool {
      try repository.writers.withConnection { (connection) throws(DatabaseError) in
        let argument = connection.connection.withDatabase {
          sqlite3_rollback_hook($0.sqliteConnection, nil, nil)
        }
        return connection.connection.hasBufferedLog && argument != nil
      }
    }
    #expect(try isBuffered(repository))
    try await repository.close()
    let reopened = try SQLiteUserRepository(.file(path))
    #expect(try isBuffered(reopened))
    try await reopened.close()
  }

  /// The content of a copy of the database file and the log, whose index SQLite makes again.
  private func contentAfterCrash(_ turn: Int) throws -> String {
    let copy = directory.path("copy-\(turn).db")
    for suffix in ["", "-wal"] {
      try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
    }
    return try Connection(copy).content()
  }
}

private final class Connection {
  private struct Failure: Error {
    let message: String
  }

  private let handle: OpaquePointer

  init(_ path: String) throws {
    var handle: OpaquePointer?
    guard sqlite3_open(path, &handle) == SQLITE_OK, let handle else { throw Failure(message: path) }
    self.handle = handle
  }

  deinit { sqlite3_close(handle) }

  var hasBufferedLog: Bool { BufferedLog.isInstalled(on: handle) }

  func bufferLog() { BufferedLog.install(on: handle) }

  func execute(_ sql: String) throws {
    guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else {
      throw Failure(message: String(cString: sqlite3_errmsg(handle)))
    }
  }

  /// The result of SQLite's own check, and a sum of the rows.
  func content() throws -> String {
    var statement: OpaquePointer?
    defer { sqlite3_finalize(statement) }
    let sql = """
      SELECT (SELECT group_concat(integrity_check) FROM pragma_integrity_check) || count(*) || ' ' ||
        total(length(text)) || ' ' || coalesce(max(hex(text)), '') || ' ' || coalesce(min(hex(text)), '') FROM texts
      """
    guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK,
      sqlite3_step(statement) == SQLITE_ROW, let text = sqlite3_column_text(statement, 0)
    else { throw Failure(message: String(cString: sqlite3_errmsg(handle))) }
    let content = String(cString: text)
    guard content.hasPrefix("ok") else { throw Failure(message: content) }
    return content
  }
}
