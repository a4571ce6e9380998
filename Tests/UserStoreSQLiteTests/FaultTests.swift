import Foundation
import GRDB
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

/// Tests failing files and disks: each gives a clear error, and no acknowledged write is lost.
@Suite(.tags(.heavy)) struct FaultTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("users.db")
  }

  @Test("a write-ahead log torn at any place keeps a whole number of commits, oldest first")
  func tornWAL() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    var ids: [UserID] = []
    for number in 0..<20 { ids.append(try await repository.create(.sample(number)).id) }
    // The files of a running process: what a power cut leaves, if the log's end did not reach the disk.
    let (database, log) = (try file(path), try file(path + "-wal"))
    try await repository.close()

    var longest = 0
    for length in stride(from: 0, through: log.count, by: log.count / 60) {
      let torn = directory.path("torn-\(length).db")
      try database.write(to: URL(fileURLWithPath: torn))
      var tornLog = log.prefix(length)
      if length > 100 { tornLog[length - 50] ^= 0xff }  // and its last sector is garbage
      try tornLog.write(to: URL(fileURLWithPath: torn + "-wal"))

      let reopened = try SQLiteUserRepository(.file(torn))
      var listing = try await UserListing(repository: reopened, after: nil, pageSize: 100)
      let survivors = try await listing.nextPage()?.map(\.id) ?? []
      #expect(survivors == Array(ids.prefix(survivors.count)))
      longest = max(longest, survivors.count)
      _ = try await reopened.create(.sample(1_000))
      try await reopened.close()
      try SQLiteMigrator(path: torn).verify()
    }
    #expect(longest > 0)
  }

  @Test("a database cannot be made in a directory that cannot be written")
  func readOnlyDirectory() async throws {
    try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: directory.url.path)
    let outcome = try await Program.run("store-probe", ["create-unprivileged", path])
    #expect(outcome.output.contains("\(path): cannot create the database: Permission denied"), "\(outcome)")
  }

  @Test("a database in a directory that cannot be written says that SQLite needs the directory")
  func readOnlyDirectoryWithDatabase() async throws {
    try await SQLiteUserRepository(.file(path)).close()
    try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: path)
    try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: directory.url.path)
    let outcome = try await Program.run("store-probe", ["create-unprivileged", path])
    #expect(outcome.output.contains("the file or its directory cannot be written"), "\(outcome)")
  }

  @Test("a database file that cannot be written is refused, not silently read")
  func readOnlyFile() async throws {
    try await SQLiteUserRepository(.file(path)).close()
    try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: path)
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory.url.path)
    let outcome = try await Program.run("store-probe", ["create-unprivileged", path])
    #expect(outcome.output.contains("the file or its directory cannot be written"), "\(outcome)")
  }

  @Test("a name in invalid UTF-8, stored by another program, is read with replacement characters")
  func invalidText() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    let user = try await repository.create(.sample(1))
    let other = try OtherConnection(path)
    try await other.execute("UPDATE users SET name = CAST(x'41c3a981ff42' AS TEXT)")
    try other.close()
    try await repository.close()
    let reopened = try SQLiteUserRepository(.file(path))
    #expect(try reopened.user(id: user.id)?.name.text == "Aé\u{fffd}\u{fffd}B")
    var listing = try await UserListing(repository: reopened, after: nil, pageSize: 10)
    var names: [String] = []
    while try await listing.readNextPage({ _, _, name in names.append(String(copying: name)) }) {}
    #expect(names == ["Aé\u{fffd}\u{fffd}B"])
    try await reopened.close()
  }

  @Test("a user with an unknown status, stored by another program, fails its page after the users before it")
  func unknownStatus() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    let users = try await repository.create((0..<3).map { .sample($0) }).map { try $0.get() }
    let other = try OtherConnection(path)
    try await other.execute("PRAGMA ignore_check_constraints = 1")
    try await other.execute("UPDATE users SET status = 3 WHERE email = 'user1@example.com'")
    try other.close()
    try await repository.close()
    let reopened = try SQLiteUserRepository(.file(path))
    var listing = try await UserListing(repository: reopened, after: nil, pageSize: 10)
    var read: [UserID] = []
    do {
      _ = try await listing.readNextPage { row, _, _ in read.append(row.id) }
      Issue.record("the page was read")
    } catch {
      guard case .storage(let fault) = error else { throw error }
      #expect(fault.kind == .corrupt)
    }
    #expect(read == [users[0].id])
    try await reopened.close()
  }

  @Test("texts are read from a database in UTF-16, which another program has begun")
  func otherEncoding() async throws {
    let other = try OtherConnection(path)
    try await other.execute("PRAGMA encoding = 'UTF-16le'; CREATE TABLE first (id); DROP TABLE first")
    try other.close()
    try SQLiteMigrator(path: path).up()
    let repository = try SQLiteUserRepository(.file(path))
    let user = try await repository.create(
      NewUser(email: try EmailAddress("grün@example.com"), name: try UserName("Grün 😀")))
    #expect(try repository.user(id: user.id) == user)
    var listing = try await UserListing(repository: repository, after: nil, pageSize: 10)
    var names: [String] = []
    while try await listing.readNextPage({ _, _, name in names.append(String(copying: name)) }) {}
    #expect(names == ["Grün 😀"])
    try await repository.close()
  }

  @Test("a full disk fails the writes that do not fit, keeps the rest and serves reads")
  func fullDisk() async throws {
    var configuration = SQLiteUserRepository.Configuration()
    configuration.maximumPageCount = 40
    let repository = try SQLiteUserRepository(.file(path), configuration: configuration)
    var stored: [User] = []
    var failure: UserError?
    for number in 0..<5_000 where failure == nil {
      do {
        stored.append(try await repository.create(.sample(number)))
      } catch {
        failure = error
      }
    }
    guard case .storage(let fault) = failure else {
      Issue.record("the disk did not fill: \(String(describing: failure))")
      return
    }
    #expect(fault.kind == .full)
    #expect(StoreError.storage(path: path, fault).description.contains("the disk is full"))

    var listing = try await UserListing(repository: repository, after: nil, pageSize: 1_000)
    var seen: [User] = []
    while let page = try await listing.nextPage() { seen += page }
    #expect(seen == stored)
    // A write that needs no room still works.
    _ = try await repository.update(stored[0].id, UserChanges(status: .inactive))
    try await repository.close()
  }

  @Test("of writes that share a transaction, one that does not fit fails alone")
  func fullDiskInAGroup() async throws {
    var configuration = SQLiteUserRepository.Configuration.patient
    configuration.maximumPageCount = 40
    let repository = try SQLiteUserRepository(.file(path), configuration: configuration)
    let ada = try await repository.create(.sample(0))
    let other = try OtherConnection(path)
    try await other.execute("BEGIN IMMEDIATE")
    // The writer has taken this one, so the next three share a transaction: together they have no more rows than it
    // takes.
    let first = Task { try await repository.update(ada.id, UserChanges(status: .inactive)) }
    try await eventually("the writer has taken the first write") {
      repository.isWriting && repository.waitingWrites == 0
    }
    let before = Task { try await repository.update(ada.id, UserChanges(name: UserName("renamed"))) }
    try await eventually("one write waits") { repository.waitingWrites == 1 }
    let large = Task { try await repository.create((1...2_000).map { .sample($0) }) }
    try await eventually("two writes wait") { repository.waitingWrites == 2 }
    let after = Task { try await repository.update(ada.id, UserChanges(status: .active)) }
    try await eventually("three writes wait") { repository.waitingWrites == 3 }
    try await other.execute("ROLLBACK")
    try other.close()

    _ = try await first.value
    #expect(try await before.value.name.text == "renamed")
    let error = await #expect(throws: UserError.self) { try await large.value }
    guard case .storage(let fault) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(fault.kind == .full)
    let stored = try await after.value
    #expect(stored.name.text == "renamed" && stored.status == .active)
    #expect(try repository.lastPlace() == ada.id)
    #expect(try repository.user(id: ada.id) == stored)
    try await repository.close()
  }

  @Test(
    "a file that is not a database is refused",
    arguments: [
      Data("hello, this is a text file and no database at all".utf8), Data(repeating: 0xff, count: 100_000),
    ])
  func notADatabase(content: Data) throws {
    try content.write(to: URL(fileURLWithPath: path))
    #expect(throws: StoreError.notSQLite(path: path)) { try SQLiteUserRepository(.file(path)) }
    #expect(try file(path) == content)
  }

  @Test("an empty file becomes a database, like a missing one")
  func emptyFile() async throws {
    try Data().write(to: URL(fileURLWithPath: path))
    let repository = try SQLiteUserRepository(.file(path))
    _ = try await repository.create(.sample(1))
    try await repository.close()
  }

  @Test("a damaged database is found by verify, and reads say that it is damaged")
  func corrupt() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    let users = try await repository.create((0..<5_000).map { .sample($0) }).map { try $0.get() }
    try await repository.close()
    var content = try file(path)
    // Damages every page except the first few, which hold the schema.
    for offset in stride(from: 8 * 4_096, to: content.count, by: 4_096) {
      content.replaceSubrange(offset..<(offset + 64), with: Data(repeating: 0xa5, count: 64))
    }
    try content.write(to: URL(fileURLWithPath: path))

    let error = #expect(throws: StoreError.self) { try SQLiteMigrator(path: path).verify() }
    #expect(error?.description.contains("damaged") == true)
    do {
      let damaged = try SQLiteUserRepository(.file(path))
      for user in users { _ = try damaged.user(id: user.id) }
      Issue.record("the damage was not noticed")
    } catch StoreError.storage(_, let fault) {
      #expect(fault.kind == .corrupt)
    } catch UserError.storage(let fault) {
      #expect(fault.kind == .corrupt)
    }
  }

  @Test("a truncated database is refused or says that it is damaged")
  func truncated() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    _ = try await repository.create((0..<5_000).map { .sample($0) })
    try await repository.close()
    try file(path).prefix(10 * 4_096 + 17).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: StoreError.self) { try SQLiteMigrator(path: path).verify() }
    #expect(error?.description.contains("damaged") == true)
  }

  @Test(
    "an unusable path is refused",
    arguments: ["", "/", "/nonexistent/folder/users.db", "/dev/null/users.db"])
  func badPath(path: String) {
    #expect(throws: StoreError.self) { try SQLiteUserRepository(.file(path)) }
  }

  @Test("another process's lock is waited for, and then named")
  func busy() async throws {
    var configuration = SQLiteUserRepository.Configuration()
    configuration.busyTimeout = .milliseconds(50)
    let repository = try SQLiteUserRepository(.file(path), configuration: configuration)
    let other = try OtherConnection(path)
    try await other.execute("BEGIN IMMEDIATE")
    let error = await #expect(throws: UserError.self) { try await repository.create(.sample(1)) }
    guard case .storage(let fault) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(fault.kind == .busy)
    try await other.execute("ROLLBACK")
    _ = try await repository.create(.sample(1))
    try other.close()
    try await repository.close()
  }

  private func file(_ path: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path))
  }
}
