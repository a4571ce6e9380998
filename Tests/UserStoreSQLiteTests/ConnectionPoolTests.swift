import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

@Suite(.tags(.io), .timeLimit(.minutes(10))) struct ConnectionPoolTests {
  /// Opens connections, limited by a number of descriptors.
  private final class Opener: Sendable {
    private let directory: TemporaryDirectory
    private let limit: Int
    private let counts = Mutex((opened: 0, refused: 0))

    init(limit: Int) throws {
      directory = try TemporaryDirectory()
      self.limit = limit
      try SQLiteMigrator(path: directory.path("users.db")).up()
    }

    var refused: Int { counts.withLock { $0.refused } }
    var opened: Int { counts.withLock { $0.opened } }

    func open() throws(StoreError) -> UserConnection {
      let location = DatabaseLocation.file(directory.path("users.db"))
      let hasRoom = counts.withLock { counts in
        if counts.opened == limit {
          counts.refused += 1
          return false
        }
        counts.opened += 1
        return true
      }
      guard hasRoom else {
        throw .storage(
          path: "\(location)",
          StorageFault(kind: .inputOutput, resultCode: 14, message: "unable to open database file"))
      }
      let connection = try SQLiteConnection(location, .readOnly)
      return try Opening(
        location: location, settings: .init(), readerCacheSize: 1 << 20,
        schemaVersion: Migration.embedded.count
      ).prepare(connection, writes: nil)
    }
  }

  /// Runs `body` on its own thread.
  private func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread { continuation.resume(returning: body()) }
    }
  }

  @Test("threads share a connection when the process has no descriptor for another one")
  func withoutDescriptors() async throws {
    let opener = try Opener(limit: 1)
    let pool = ConnectionPool(limit: 64, keepsSnapshots: false) { () throws(StoreError) in try opener.open() }
    let (taken, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    async let first = onThread {
      Result {
        try pool.withConnection { _ throws(DatabaseError) in
          taken.signal()
          mayEnd.wait()
          return 0
        }
      }
    }
    await onThread { taken.wait() }
    let others = (1...8).map { number in
      Task { await onThread { Result { try pool.withConnection { _ throws(DatabaseError) in number } } } }
    }
    // No two of eight threads have the same slot of 64, so at least seven try to open a connection of their own.
    try await eventually("the others find no room for another connection") { opener.refused >= 7 }
    mayEnd.signal()
    #expect(try await first.get() == 0)
    for (number, other) in zip(1..., others) { #expect(try await other.value.get() == number) }
    try pool.close()
  }

  @Test("a thread that often uses the connections of others opens its own")
  func ownConnection() async throws {
    let opener = try Opener(limit: 64)
    // So many places that threads have different ones.
    let pool = ConnectionPool(limit: 1_000, keepsSnapshots: false) { () throws(StoreError) in
      try opener.open()
    }
    @Sendable func read(_ times: Int) -> Result<Void, any Error> {
      Result { for _ in 0..<times { try pool.withConnection { _ throws(DatabaseError) in } } }
    }
    try await onThread { read(1) }.get()
    try await onThread { read(100) }.get()
    #expect(opener.opened == 1)
    try await onThread { read(1_000) }.get()
    #expect(opener.opened == 2)
    try pool.close()
  }

  @Test("a thread that cannot open its own connection goes on with the others, and seldom tries again")
  func withoutOwnConnection() async throws {
    let opener = try Opener(limit: 1)
    let pool = ConnectionPool(limit: 1_000, keepsSnapshots: false) { () throws(StoreError) in
      try opener.open()
    }
    @Sendable func read(_ times: Int) -> Result<Void, any Error> {
      Result { for _ in 0..<times { try pool.withConnection { _ throws(DatabaseError) in } } }
    }
    try await onThread { read(1) }.get()
    try await onThread { read(1_000) }.get()
    #expect((1...10).contains(opener.refused))
    try pool.close()
  }

  @Test("an idle connection gives its page cache back, and reads again")
  func idleMemory() async throws {
    let directory = try TemporaryDirectory()
    let repository = try SQLiteUserRepository(.file(directory.path("users.db")))
    let outcomes = try await repository.create((0..<2_000).map { .sample($0) })
    let id = try #require(try outcomes.first?.get().id)
    func scan() throws {
      _ = try repository.readUsers(UserQuery(), after: nil, through: .last, limit: 2_000) {
        _, _, _ in
      }
    }
    func cached(_ pool: ConnectionPool) throws -> Int {
      try pool.withConnection { (connection) throws(DatabaseError) in connection.connection.cachedBytes }
    }
    let pools = [repository.readers, repository.writers]
    let start = ContinuousClock.now
    func release(_ seconds: Int) {
      for pool in pools { pool.releaseIdleMemory(now: start + .seconds(seconds)) }
    }
    try scan()
    for pool in pools { #expect(try cached(pool) > 100_000) }
    release(0)
    release(9)
    for pool in pools { #expect(try cached(pool) > 100_000) }
    release(10)
    for pool in pools { #expect(try cached(pool) < 20_000) }
    // A connection in use is not idle, however late the calls come.
    #expect(try repository.user(id: id)?.id == id)
    try scan()
    release(100)
    #expect(try cached(repository.readers) > 100_000)
    try await repository.close()
  }

  @Test("a read without a descriptor for any connection says why it fails")
  func withoutAnyDescriptor() throws {
    let opener = try Opener(limit: 0)
    let pool = ConnectionPool(limit: 2, keepsSnapshots: false) { () throws(StoreError) in try opener.open() }
    let error = #expect(throws: UserError.self) { try pool.withConnection { _ throws(DatabaseError) in } }
    guard case .storage(let fault) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(fault.resultCode == 14)
    try pool.close()
  }
}
