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

  @Test("a write cancelled while it waits is skipped, and reported as cancelled")
  func cancellation() async throws {
    let repository = try SQLiteUserRepository(.file(path), configuration: .patient)
    // Another process's lock holds the writer up.
    let other = try OtherConnection(path)
    try await other.execute("BEGIN IMMEDIATE")
    let first = Task { try await repository.create(.sample(1)) }
    // The writer has taken `first` when it waits for the lock; `second` then waits for the writer.
    try await eventually("the writer has taken the first write") {
      repository.isWriting && repository.waitingWrites == 0
    }
    let second = Task { try await repository.create(.sample(2)) }
    try await eventually("the second write waits") { repository.waitingWrites == 1 }
    second.cancel()
    await #expect(throws: UserError.cancelled) { try await second.value }
    try await other.execute("ROLLBACK")
    let user = try await first.value
    #expect(try repository.lastPlace() == user.id)
    #expect(try repository.credential(email: EmailAddress("user2@example.com")) == nil)
    try other.close()
    try await repository.close()
  }

  @Test("a write whose task is already cancelled is refused")
  func cancelledBefore() async throws {
    let repository = try SQLiteUserRepository(.inMemory)
    let task = Task {
      await untilCancelled()
      return try await repository.create(.sample(1))
    }
    task.cancel()
    await #expect(throws: UserError.cancelled) { try await task.value }
    #expect(try repository.lastPlace() == nil)
    try await repository.close()
  }

  @Test("a write beyond the queue's bound is refused as overloaded, and nothing is lost")
  func overloaded() async throws {
    var configuration = SQLiteUserRepository.Configuration.patient
    configuration.writes.waitingRows = 10
    let repository = try SQLiteUserRepository(.file(path), configuration: configuration)
    let other = try OtherConnection(path)
    try await other.execute("BEGIN IMMEDIATE")
    let first = Task { try await repository.create(.sample(50)) }
    try await eventually("the writer has taken the first write") {
      repository.isWriting && repository.waitingWrites == 0
    }
    let writes = (0..<50).map { number in Task { try await repository.create(.sample(number)) } }
    try await eventually("ten writes wait") { repository.waitingWrites == 10 }
    let late = await #expect(throws: UserError.self) { try await repository.create(.sample(99)) }
    #expect(late == .overloaded(retryAfter: .seconds(1)))
    try await other.execute("ROLLBACK")
    var stored: Set<UserID> = [try await first.value.id]
    for write in writes {
      switch await write.result {
      case .success(let user): stored.insert(user.id)
      case .failure(let error): #expect(error as? UserError == .overloaded(retryAfter: .seconds(1)))
      }
    }
    #expect(stored.count > 10)
    var listing = try await UserListing(repository: repository, after: nil, pageSize: 100)
    #expect(try await listing.nextPage().map { Set($0.map(\.id)) } == stored)
    try other.close()
    try await repository.close()
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

  @Test("closing completes the accepted writes, and refuses later ones")
  func closing() async throws {
    let accepted = 20
    var configuration = SQLiteUserRepository.Configuration.patient
    // A write beyond the limit is then refused at once, and its error shows whether the store is closing.
    configuration.writes.waitingRows = accepted
    let repository = try SQLiteUserRepository(.file(path), configuration: configuration)
    let other = try OtherConnection(path)
    try await other.execute("BEGIN IMMEDIATE")
    let first = Task { try await repository.create(.sample(accepted)) }
    try await eventually("the writer has taken the first write") {
      repository.isWriting && repository.waitingWrites == 0
    }
    let writes = (0..<accepted).map { number in Task { try await repository.create(.sample(number)) } }
    try await eventually("the other writes wait") { repository.waitingWrites == accepted }

    let closing = Task { try await repository.close() }
    try await eventually("the store is closing") {
      await #expect(throws: UserError.self) { try await repository.create(.sample(1_000)) } == .shuttingDown
    }
    try await other.execute("ROLLBACK")
    try other.close()
    try await closing.value
    var stored: Set<UserID> = [try await first.value.id]
    for write in writes { stored.insert(try await write.value.id) }
    #expect(stored.count == accepted + 1)
    let reopened = try SQLiteUserRepository(.file(path))
    var listing = try await UserListing(repository: reopened, after: nil, pageSize: 1_000)
    #expect(Set(try await listing.nextPage()?.map(\.id) ?? []) == stored)
    try await reopened.close()
  }

  @Test("closing moves the log into the file and leaves nothing beside it")
  func checkpointOnClose() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    let user = try await repository.create(.sample(1))
    _ = try repository.user(id: user.id)
    try await repository.close()
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["users.db"])
  }

  @Test("a secret is created once per database and stays")
  func secrets() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    let first = try await repository.secret("one", length: 32)
    #expect(first.count == 32)
    #expect(try await repository.secret("one", length: 32) == first)
    #expect(try await repository.secret("two", length: 32) != first)
    try await repository.close()
    let reopened = try SQLiteUserRepository(.file(path))
    #expect(try await reopened.secret("one", length: 32) == first)
    try await reopened.close()
  }

  @Test("ids ascend across a restart, even if the clock has stepped back")
  func clockStepsBackAcrossRestart() async throws {
    func open(at milliseconds: Int64) throws -> SQLiteUserRepository {
      try SQLiteUserRepository(
        .file(path), schema: .migrate, configuration: .init(),
        writes: WriteSettings(clock: { Timestamp(microsecondsSinceEpoch: milliseconds * 1_000) }))
    }
    let before = try open(at: 2_000_000)
    let first = try await before.create(.sample(1))
    try await before.close()
    let after = try open(at: 1_000_000)
    let second = try await after.create(.sample(2))
    #expect(second.id > first.id)
    // As the id says, so that the order of creation is that of the times.
    #expect(second.createdAt == UserPlace.time(of: second.id))
    try await after.close()
  }
}
