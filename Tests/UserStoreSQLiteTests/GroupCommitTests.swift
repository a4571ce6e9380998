import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

@Suite(.tags(.io), .timeLimit(.minutes(10))) struct GroupCommitTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("users.db")
  }

  @Test("commits are synced to the disk: WAL, synchronous=FULL, foreign keys on")
  func settings() throws {
    try SQLiteMigrator(path: path).up()
    let connection = try SQLiteConnection(.file(path), .create)
    let settings = try connection.withDatabase { database in
      try ["journal_mode", "synchronous", "foreign_keys", "busy_timeout"].map { name in
        try String.fetchOne(database, sql: "SELECT * FROM pragma_\(name)")
      }
    }
    #expect(settings == ["wal", "2", "1", "5000"])
    try connection.close()
  }

  @Test("writes that arrive during a commit share the next one")
  func sharing() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    _ = try await repository.create(.sample(0))
    let before = try logFrames()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 1...512 {
        group.addTask { _ = try await repository.create(.sample(number)) }
      }
      try await group.waitForAll()
    }
    // One commit per user would write at least three pages each: the table's, the index's and the commit frame's.
    #expect(try logFrames() - before < 512)
    try await repository.close()
  }

  /// Returns the pages in the write-ahead log: its length less the header, by the length of a frame.
  private func logFrames() throws -> Int {
    let size = try #require(
      try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int)
    return (size - 32) / (4_096 + 24)
  }

  @Test("a large import makes way for other writes, but not for another import")
  func makesWay() async throws {
    let repository = try SQLiteUserRepository(.file(path), configuration: .patient)
    let other = try OtherConnection(path)
    for isOverlapped in [false, true] {
      let first = isOverlapped ? 2_000 : 0
      let users = (first..<first + 1_500).map(ForeignUser.sample)
      try await other.execute("BEGIN IMMEDIATE")
      let importing = Task { try await repository.importUsers(users[..<1_000], by: nil) }
      try await eventually("the writer has taken the import") {
        repository.isWriting && repository.waitingWrites == 0
      }
      let next = Task {
        isOverlapped
          ? try await repository.importUsers(users[1_000...], by: nil).count
          : try await repository.create(.sample(1_999)).email.address.utf8.count
      }
      try await eventually("the next write waits") { repository.waitingWrites == 1 }
      try await other.execute("ROLLBACK")
      let stored = try await importing.value
      #expect(stored.count == (isOverlapped ? 1_000 : 512))
      _ = try await next.value
      // The outcomes are those of the first users.
      let outcomes = try await repository.importUsers(users[..<1_000], by: nil)
      #expect(try outcomes.prefix(stored.count).map { try $0.get().id } == stored.map { try $0.get().id })
      #expect(try outcomes.map { try $0.get().wasStored } == (0..<1_000).map { $0 < stored.count })
    }
    try other.close()
    try await repository.close()
  }

  @Test("closing moves the log into the file and leaves nothing beside it")
  func checkpointOnClose() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    let user = try await repository.create(.sample(1))
    _ = try repository.user(id: user.id)
    try await repository.close()
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["users.db"])
  }
}
