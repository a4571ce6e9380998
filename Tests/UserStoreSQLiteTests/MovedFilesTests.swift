import Foundation
import GRDB
import GRDBSQLite
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

/// Tests files that are deleted, replaced, copied or restored by other programs than SQLite.
@Suite(.tags(.io)) struct MovedFilesTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("users.db")
  }

  private func fault(_ body: () async throws -> Void) async -> StorageFault? {
    do {
      try await body()
    } catch UserError.storage(let fault) {
      return fault
    } catch StoreError.storage(_, let fault) {
      return fault
    } catch {
      Issue.record("\(error)")
    }
    return nil
  }

  @Test(
    "a write is refused once a file of the database is deleted, and an inspection detects it without a write",
    arguments: ["", "-wal", "-shm"])
  func deleted(suffix: String) async throws {
    var configuration = SQLiteUserRepository.Configuration()
    configuration.readers = 1
    let repository = try SQLiteUserRepository(.file(path), configuration: configuration)
    let user = try await repository.create(.sample(1))
    #expect(try repository.user(id: user.id) == user)
    await repository.inspect()
    #expect(repository.writeFault == nil)
    try FileManager.default.removeItem(atPath: path + suffix)
    await repository.inspect()
    #expect(repository.writeFault?.kind == .moved)
    #expect(await fault { _ = try await repository.create(.sample(2)) }?.kind == .moved)
    #expect(
      repository.failure(try #require(repository.writeFault)).description.contains("deleted or replaced"))
    // Open files can still be read, and recovery does not write to them.
    #expect(try repository.user(id: user.id) == user)
    await repository.recover()
    #expect(repository.writeFault?.kind == .moved)
    #expect(await fault { try await repository.close() }?.kind == .moved)
  }

  @Test("a write is refused at once when the database is replaced, and nothing of its successor is touched")
  func replaced() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    _ = try await repository.create(.sample(1))
    for suffix in ["", "-wal", "-shm"] { try FileManager.default.removeItem(atPath: path + suffix) }
    let successor = try SQLiteUserRepository(.file(path))
    let theirs = try await successor.create(.sample(2))
    #expect(await fault { _ = try await repository.create(.sample(3)) }?.kind == .moved)
    #expect(await fault { try await repository.close() }?.kind == .moved)
    // The successor's log has not been deleted by its name.
    #expect(FileManager.default.fileExists(atPath: path + "-wal"))
    let reader = try OtherConnection(path)
    #expect(try await reader.firstInteger("SELECT count(*) FROM users") == 1)
    try reader.close()
    #expect(try successor.user(id: theirs.id) == theirs)
    try await successor.close()
    try SQLiteMigrator(path: path).verify()
  }

  @Test("a log that replaces the open one is not deleted by its name")
  func replacedLog() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    _ = try await repository.create(.sample(1))
    let other = Data("another log".utf8)
    try FileManager.default.removeItem(atPath: path + "-wal")
    try other.write(to: URL(fileURLWithPath: path + "-wal"))
    #expect(await fault { try await repository.close() }?.kind == .moved)
    #expect(FileManager.default.contents(atPath: path + "-wal") == other)
  }

  @Test("a reader opened after the replacement does not read the other database")
  func readersOfTheSuccessor() async throws {
    var configuration = SQLiteUserRepository.Configuration()
    configuration.readers = 1
    let repository = try SQLiteUserRepository(.file(path), configuration: configuration)
    try FileManager.default.moveItem(atPath: path, toPath: directory.path("old.db"))
    // No reader is open yet.
    let error = #expect(throws: UserError.self) { try repository.lastPlace() }
    guard case .storage(let fault) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(fault.kind == .moved)
    try FileManager.default.moveItem(atPath: directory.path("old.db"), toPath: path)
    #expect(try repository.lastPlace() == nil)
    try await repository.close()
  }

  @Test("a database that is moved away and back works again")
  func movedBack() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    try FileManager.default.moveItem(atPath: path, toPath: directory.path("elsewhere.db"))
    #expect(await fault { _ = try await repository.create(.sample(1)) }?.kind == .moved)
    try FileManager.default.moveItem(atPath: directory.path("elsewhere.db"), toPath: path)
    await repository.inspect()
    #expect(repository.writeFault == nil)
    _ = try await repository.create(.sample(1))
    try await repository.close()
  }

  @Test(
    "a symbolic link may lead to the database, even to a missing one, until it leads elsewhere"
  )
  func symbolicLink() async throws {
    let link = directory.path("link.db")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
    let repository = try SQLiteUserRepository(.file(link))
    _ = try await repository.create(.sample(1))
    await repository.inspect()
    #expect(repository.writeFault == nil)
    let other = directory.path("other.db")
    try await SQLiteUserRepository(.file(other)).close()
    try FileManager.default.removeItem(atPath: link)
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: other)
    #expect(await fault { _ = try await repository.create(.sample(2)) }?.kind == .moved)
    #expect(await fault { try await repository.close() }?.kind == .moved)
  }

  // MARK: Migrations under a running service

  @Test("reverted migrations fail the writes with a reason, hold no lock, and may be applied again")
  func migratedDown() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    let user = try await repository.create(.sample(1))
    let migrator = SQLiteMigrator(path: path)
    // Migrations are reverted down to a table that every transaction needs.
    try migrator.down(to: 4)
    #expect(await fault { _ = try await repository.create(.sample(2)) }?.kind == .notMigrated)
    #expect(repository.writeFault?.kind == .notMigrated)
    let other = try OtherConnection(path)
    try await other.execute("BEGIN IMMEDIATE")
    try await other.execute("ROLLBACK")
    await repository.recover()
    #expect(repository.writeFault?.kind == .notMigrated)

    try migrator.down(to: 0)
    #expect(await fault { _ = try await repository.create(.sample(2)) }?.kind == .notMigrated)
    #expect(await fault { _ = try repository.user(id: user.id) }?.kind == .notMigrated)
    try migrator.up()
    await repository.recover()
    #expect(repository.writeFault == nil)
    _ = try await repository.create(.sample(2))
    try other.close()
    try await repository.close()
  }

  @Test("a write that needs no reverted migration does not end the fault")
  func partlyMigratedDown() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    let migrator = SQLiteMigrator(path: path)
    // The columns of users are reverted, and the tables of failures stay.
    try migrator.down(to: 8)
    let account = SignInAccount.unknown(try EmailAddress("ada@example.com"))
    let network = SignInSource.network(PeerNetwork(peer: "unix"))
    let failed = await fault { _ = try await repository.create(.sample(1)) }
    #expect(failed?.kind == .notMigrated)
    try await repository.noteFailure(of: account, from: network, now: .now)
    #expect(repository.writeFault?.kind == .notMigrated)
    try migrator.up()
    await repository.recover()
    #expect(repository.writeFault == nil)
    try await repository.close()
  }

  @Test("a write transaction left open is rolled back first")
  func leftOpen() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    _ = try repository.writers.withConnection { (connection) throws(DatabaseError) in
      try connection.writes.beginTransaction()
    }
    _ = try await repository.create(.sample(1))
    // Closing rolls back too.
    _ = try repository.writers.withConnection { (connection) throws(DatabaseError) in
      try connection.writes.beginTransaction()
    }
    try await repository.close()
  }

  @Test("a connection whose transaction cannot be rolled back is replaced")
  func cannotRollBack() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    _ = try await repository.create(.sample(1))
    // SQLite interrupts statements that begin while an interrupted one is running (sqlite.org/c3ref/interrupt.html).
    let pending = try repository.writers.withConnection { (connection) throws(DatabaseError) in
      let statement = try connection.connection.prepare("SELECT 1 UNION ALL SELECT 2")
      let handle = connection.connection.withDatabase { $0.sqliteConnection }
      try connection.reads.begin.run()
      _ = try statement.step()
      sqlite3_interrupt(handle)
      return statement
    }
    let failed = await fault { _ = try await repository.create(.sample(2)) }
    #expect(failed?.message == "an earlier transaction cannot be rolled back")
    withExtendedLifetime(pending) {}
    _ = try await repository.create(.sample(2))
    #expect(repository.writeFault == nil)
    try await repository.close()
  }

  // MARK: Copies and restores

  @Test("the main file has its tables after the first start")
  func copyOfTheMainFile() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    _ = try await repository.create(.sample(1))
    let copy = directory.path("copy.db")
    try FileManager.default.copyItem(atPath: path, toPath: copy)
    #expect(try SQLiteMigrator(path: copy).status().version == Migration.embedded.count)
    try await repository.close()
  }

  @Test("a file with content but without tables is refused by a service, and accepted by a migrator")
  func withoutTables() async throws {
    // A copy without the log, which has the tables.
    let other = try OtherConnection(path)
    try await other.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a); DROP TABLE t")
    try other.close()
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(!before.isEmpty)
    let error = #expect(throws: StoreError.withoutTables(path: path)) {
      try SQLiteUserRepository(.file(path))
    }
    #expect(error?.description.contains(".backup") == true)
    #expect(error?.description.contains("migrate up") == true)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    try SQLiteMigrator(path: path).up()
    try await SQLiteUserRepository(.file(path)).close()
  }

  @Test(
    "a database without any applied migration is refused by a service until they are applied again")
  func takenBackToNothing() async throws {
    try await SQLiteUserRepository(.file(path)).close()
    try SQLiteMigrator(path: path).down(to: 0)
    #expect(throws: StoreError.withoutTables(path: path)) { try SQLiteUserRepository(.file(path)) }
    try SQLiteMigrator(path: path).up()
    try await SQLiteUserRepository(.file(path)).close()
  }

  @Test("a start that ends before the first migration leaves an empty file, which the next one fills")
  func endedBeforeTheFirstMigration() async throws {
    try SQLiteConnection(.file(path), .create).close()
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)).isEmpty)
    try await SQLiteUserRepository(.file(path)).close()
  }

  @Test("a log whose database is missing or empty is refused and kept", arguments: [false, true])
  func strayLog(exists: Bool) throws {
    if exists { try Data().write(to: URL(fileURLWithPath: path)) }
    let log = Data(repeating: 7, count: 100)
    try log.write(to: URL(fileURLWithPath: path + "-wal"))
    #expect(throws: StoreError.strayLog(path: path)) { try SQLiteUserRepository(.file(path)) }
    #expect(throws: StoreError.strayLog(path: path)) { try SQLiteMigrator(path: path).up() }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path + "-wal")) == log)
    #expect(FileManager.default.fileExists(atPath: path) == exists)
  }

  // MARK: Read-only

  @Test(
    "status reads a read-only database in a read-only folder",
    arguments: [0o555, 0o755])
  func readOnlyStatus(folder: Int) async throws {
    try await SQLiteUserRepository(.file(path)).close()
    try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: path)
    try FileManager.default.setAttributes([.posixPermissions: folder], ofItemAtPath: directory.url.path)
    let outcome = try await Program.run("store-probe", ["status-unprivileged", path])
    #expect(outcome.output == "\(Migration.embedded.count)\n", "\(outcome)")
  }

  @Test("status gives the remedy for a log that it cannot read")
  func unreadableLog() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    // The first transaction is followed by the erasure of what an earlier process may have left in the log.
    for number in 1...2 { _ = try await repository.create(.sample(number)) }
    let folder = directory.path("copies")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    for suffix in ["", "-wal"] {
      let copy = folder + "/users.db" + suffix
      try FileManager.default.copyItem(atPath: path + suffix, toPath: copy)
      try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: copy)
    }
    try await repository.close()
    try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder)
    let outcome = try await Program.run("store-probe", ["status-unprivileged", folder + "/users.db"])
    #expect(outcome.output.contains("copy the database with its -wal file"), "\(outcome)")
    // The folder can then be deleted.
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder)
  }

  // MARK: Modes

  @Test("files that others may read are named, and new files beside them are private")
  func exposed() async throws {
    let first = try SQLiteUserRepository(.file(path))
    #expect(first.exposedFiles.isEmpty)
    try await first.close()
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    let second = try SQLiteUserRepository(.file(path))
    #expect(second.exposedFiles == [path])
    for suffix in ["-wal", "-shm"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: path + suffix)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
    }
    try await second.close()
  }

  // MARK: One service

  @Test("a database has one service at a time, which removes its lock file at the end")
  func serviceLock() async throws {
    let first = try ServiceLock(database: path, mayCreate: true)
    #expect(try first.acquire())
    let second = try ServiceLock(database: directory.path("./users.db"), mayCreate: true)
    #expect(try !second.acquire())
    #expect(second.holder == ProcessInfo.processInfo.processIdentifier)
    let attributes = try FileManager.default.attributesOfItem(atPath: path + ".lock")
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    first.release()
    #expect(!FileManager.default.fileExists(atPath: path + ".lock"))
    #expect(try second.acquire())
    #expect(try !ServiceLock(database: path, mayCreate: true).acquire())
    second.release()
    #expect(throws: StoreError.missing(path: path)) { try ServiceLock(database: path, mayCreate: false) }
  }
}
