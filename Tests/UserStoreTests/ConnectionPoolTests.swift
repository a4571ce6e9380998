import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing
import UserDomain

@testable import UserStore

@Suite(.tags(.io), .timeLimit(.minutes(10))) struct ConnectionPoolTests {
  /// Opens connections, limited by a number of descriptors.
  private final class Opener: Sendable {
    private let directory: TemporaryDirectory
    private let limit: Int
    private let counts = Mutex((opened: 0, refused: 0))

    init(limit: Int) throws {
      directory = try TemporaryDirectory()
      self.limit = limit
      try Migrator(path: directory.path("users.db")).up()
    }

    var refused: Int { counts.withLock { $0.refused } }

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
      return try Opening(location: location, settings: .init(), schemaVersion: Migration.embedded.count)
        .prepare(connection, writes: nil)
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
