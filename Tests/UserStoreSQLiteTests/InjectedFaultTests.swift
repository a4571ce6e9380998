import FaultVFS
import Foundation
import GRDB
import TestSupport
import Testing
import UserStore

@testable import UserDomain
@testable import UserStoreSQLite

/// Tests a disk whose calls fail one after the other: after any failure, the repository works again when the disk does.
///
/// Serialized, because the faults belong to the process; no other suite uses files with this name.
@Suite(.tags(.heavy), .serialized, .timeLimit(.minutes(10))) struct InjectedFaultTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("faulty-users.db")
    // SQLITE_OK
    try #require(fault_vfs_register() == 0)
  }

  /// A transaction of the repository, whose parts are distinguished by a number.
  enum Transaction: String, CaseIterable, Sendable {
    case create, createWithRequestID, bulk, updateWithPassword, deactivate
    case noteFailure, forgetFailures, unlock, createSession, refresh, endSession, upgradeHash, secret

    private static let hash = PasswordHash(phcString: "$argon2id$stored")
    private static let policy = SessionPolicy()
    private static let network = SignInSource.network(PeerNetwork(peer: "ipv4:192.0.2.1:50000"))

    /// Stores the rows that the transaction needs, before any fault.
    struct Ground: Sendable {
      var user: User
      var session: Session
      var now: Timestamp

      var account: SignInAccount { .user(user.id) }
    }

    static func ground(_ repository: SQLiteUserRepository, _ number: Int) async throws -> Ground {
      let user = try await repository.create(.sample(number * 10, passwordHash: hash))
      let now = Timestamp.now
      let session = Session(
        id: .random(), userID: user.id, tokenHash: [UInt8](repeating: 1, count: 32), rotatedAt: now,
        expiresAt: now + policy.sessionLifetime, keptUntil: now + policy.refreshLifetime)
      try await repository.create(session, epoch: 0, from: network)
      try await repository.noteFailure(of: .user(user.id), from: network, now: now)
      return Ground(user: user, session: session, now: now)
    }

    func run(_ repository: SQLiteUserRepository, _ number: Int, _ ground: Ground) async throws {
      switch self {
      case .create: _ = try await repository.create(.sample(number * 10 + 1))
      case .createWithRequestID:
        _ = try await repository.create(
          CreateRequest(.sample(number * 10 + 1), id: RequestID(UUID().uuidString)))
      case .bulk:
        for outcome in try await repository.create((1...3).map { .sample(number * 10 + $0) }) {
          _ = try outcome.get()
        }
      case .updateWithPassword:
        let changes = UserChanges(
          name: UserName(trusted: "changed"), password: .replace(PasswordHash(phcString: "$argon2id$new")))
        _ = try await repository.update(ground.user.id, changes)
      case .deactivate: _ = try await repository.update(ground.user.id, UserChanges(status: .inactive))
      case .noteFailure:
        try await repository.noteFailure(of: ground.account, from: Self.network, now: ground.now)
      case .forgetFailures: try await repository.forgetFailures(of: ground.account, from: Self.network)
      case .unlock: try await repository.unlock(ground.user.id)
      case .createSession:
        var session = ground.session
        session = Session(
          id: .random(), userID: session.userID, tokenHash: session.tokenHash, rotatedAt: session.rotatedAt,
          expiresAt: session.expiresAt, keptUntil: session.keptUntil)
        try await repository.create(session, epoch: 0, from: Self.network)
      case .refresh:
        _ = try await repository.refresh(
          SessionRefresh(
            session: ground.session.id, presented: ground.session.tokenHash,
            successor: [UInt8](repeating: 2, count: 32), now: ground.now, policy: Self.policy))
      case .endSession: try await repository.end(ground.session.id, now: ground.now)
      case .upgradeHash:
        try await repository.upgrade(
          Self.hash, to: PasswordHash(phcString: "$argon2id$upgraded"), of: ground.user.id)
      case .secret: _ = try await repository.secret("secret \(number)", length: 16)
      }
    }
  }

  /// Returns every row of every table except the history.
  private func contents() throws -> Set<String> {
    let queue = try DatabaseQueue(path: path)
    // The test is about the content read, not the closing.
    defer { try? queue.close() }
    return try queue.read { database in
      var rows: Set<String> = []
      let tables = try String.fetchAll(
        database, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migrations'")
      for table in tables {
        for row in try Row.fetchAll(database, sql: "SELECT * FROM \(table)") {
          rows.insert("\(table) \(row)")
        }
      }
      return rows
    }
  }

  private func repository() throws -> SQLiteUserRepository {
    var configuration = SQLiteUserRepository.Configuration()
    // The cache is so small that statements read from the disk.
    configuration.readerCacheSize = 4_096
    configuration.writerCacheSize = 4_096
    configuration.readers = 1
    configuration.pagesBetweenCheckpoints = 1_000
    return try SQLiteUserRepository(.file(path), configuration: configuration)
  }

  @Test(
    "a fault at any call of a transaction leaves none of it stored, and the next ones succeed",
    arguments: Transaction.allCases, [1, Int32.max])
  func transactions(transaction: Transaction, failures: Int32) async throws {
    let repository = try repository()
    let other = try OtherConnection(path)
    var number = 0
    var hasFailed = true
    while hasFailed {
      number += 1
      let ground = try await Transaction.ground(repository, number)
      let before = try contents()
      fault_vfs_arm(Int32(number - 1), failures, 0)
      var outcome: Result<Void, any Error> = .success(())
      do { try await transaction.run(repository, number, ground) } catch { outcome = .failure(error) }
      hasFailed = fault_vfs_disarm() > 0

      switch outcome {
      case .success: #expect(try contents() != before, "\(number): acknowledged and lost")
      case .failure(UserError.storage(let fault)):
        #expect(hasFailed)
        #expect(repository.writeFault == fault)
        #expect(try contents() == before, "\(number): refused, but stored")
      case .failure(let error): Issue.record("\(number): \(error)")
      }
      // The write lock is free.
      try await other.execute("BEGIN IMMEDIATE")
      try await other.execute("ROLLBACK")
      // The same repository works again, and knows it.
      let next = try await repository.create(.sample(number * 10 + 9))
      #expect(try repository.user(id: next.id) == next)
      #expect(repository.writeFault == nil)
    }
    #expect(number > 3)
    try other.close()
    try await repository.close()
    try SQLiteMigrator(path: path).verify()
  }

  @Test("a fault at any call of a read does not affect the next reads", arguments: [1, Int32.max])
  func reads(failures: Int32) async throws {
    let repository = try repository()
    let users = try await repository.create((0..<500).map { .sample($0) }).map { try $0.get() }
    var count: Int32 = 0
    var hasFailed = true
    while hasFailed {
      fault_vfs_arm(count, failures, 0)
      // The result of a read during the fault does not matter.
      for user in users[..<20] { _ = try? repository.user(id: user.id) }
      hasFailed = fault_vfs_disarm() > 0
      count += 1
      #expect(try repository.user(id: users[7].id) == users[7])
      _ = try await repository.create(.sample(1_000 + Int(count)))
    }
    try await repository.close()
  }

  @Test(
    "a fault at any call of the first start does not stop the next one from creating the database",
    arguments: [1, Int32.max])
  func firstStart(failures: Int32) async throws {
    var count: Int32 = 0
    var hasFailed = true
    while hasFailed {
      let file = directory.path("faulty-\(count).db")
      fault_vfs_arm(count, failures, 0)
      // Whether the service started does not matter.
      let first = try? SQLiteUserRepository(.file(file))
      hasFailed = fault_vfs_disarm() > 0
      count += 1
      try await first?.close()
      let second = try SQLiteUserRepository(.file(file))
      _ = try await second.create(.sample(1))
      try await second.close()
    }
    #expect(count > 10)
  }

  @Test("a full disk at the start is named, with the remedy", arguments: [0, 1, 2, 4, 8])
  func fullAtStart(count: Int32) throws {
    // SQLITE_FULL is the code of SQLite's own VFS for ENOSPC.
    fault_vfs_arm(count, Int32.max, 13)
    defer { fault_vfs_disarm() }
    let error = #expect(throws: StoreError.self) { try SQLiteUserRepository(.file(path)) }
    #expect(
      error?.description.contains("the disk is full; make room") == true, "\(String(describing: error))")
  }

  @Test("shared memory that cannot grow means a full disk")
  func fullSharedMemory() {
    #expect(StorageFault(DatabaseError(resultCode: .SQLITE_IOERR_SHMSIZE)).kind == .full)
    #expect(StorageFault(DatabaseError(resultCode: .SQLITE_IOERR_SHMMAP)).kind == .inputOutput)
  }

  @Test("a failed checkpoint fails no write, loses nothing and is made up later")
  func checkpoint() async throws {
    let repository = try repository()
    var ids: Set<UserID> = []
    var batch = 0
    func write() async throws {
      for outcome in try await repository.create((0..<1_000).map { .sample(batch * 1_000 + $0) }) {
        ids.insert(try outcome.get().id)
      }
      batch += 1
      // The checkpoint follows the response.
      try await eventually("the writer is idle") { !repository.isWriting }
    }
    // A checkpoint is due at 1,000 pages of the log, each with a header of 24 bytes.
    fault_vfs_arm_checkpoints()
    while try size(of: path + "-wal") < 1_500 * (4_096 + 24) { try await write() }
    #expect(repository.writeFault == nil)
    #expect(fault_vfs_disarm() > 0)

    // Only checkpoints grow the database file itself.
    let before = try size(of: path)
    try await write()
    #expect(try size(of: path) > before)
    var listing = try await UserListing(repository: repository, after: nil, pageSize: 1_000)
    var listed: Set<UserID> = []
    while let page = try await listing.nextPage() { listed.formUnion(page.map(\.id)) }
    #expect(listed == ids)
    try await repository.close()
    try SQLiteMigrator(path: path).verify()
  }

  private func size(of path: String) throws -> Int {
    try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
  }

  @Test("a service detects that the disk works again without a client's help")
  func recovery() async throws {
    let repository = try repository()
    fault_vfs_arm(0, Int32.max, 0)
    await #expect(throws: UserError.self) { try await repository.create(.sample(1)) }
    #expect(repository.writeFault?.kind == .inputOutput)
    await repository.recover()
    #expect(repository.writeFault != nil)
    fault_vfs_disarm()
    let before = try contents()
    await repository.recover()
    #expect(repository.writeFault == nil)
    #expect(try contents() == before)
    try await repository.close()
  }
}
