import Foundation
import GRDB
import TestSupport
import Testing
import UserDomain

@testable import UserStoreSQLite

/// Tests that readers keep their snapshots between reads without an observable difference.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct SnapshotTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("users.db")
  }

  @Test("commits of another process are seen, even during constant reads")
  func otherProcess() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    let user = try await repository.create(.sample(1))
    #expect(try repository.user(id: user.id)?.status == .active)
    let other = try OtherConnection(path)
    try await other.execute("UPDATE users SET status = 2")
    try await eventually("the change is seen") { try repository.user(id: user.id)?.status == .inactive }
    try other.close()
    try await repository.close()
  }

  @Test("an idle reader ends its snapshot, so that another process can empty the log")
  func idle() async throws {
    let repository = try SQLiteUserRepository(.file(path))
    let user = try await repository.create(.sample(1))
    _ = try repository.user(id: user.id)
    let other = try OtherConnection(path)
    try await eventually("no reader holds the log") {
      try await other.firstInteger("PRAGMA wal_checkpoint(TRUNCATE)") == 0
    }
    try other.close()
    try await repository.close()
  }

  @Test(
    "the log does not grow without bound while users are written and read all the time",
    arguments: [1_000, SQLiteUserRepository.Configuration().pagesBetweenCheckpoints])
  func logIsReused(pages: Int) async throws {
    var configuration = SQLiteUserRepository.Configuration()
    configuration.pagesBetweenCheckpoints = pages
    let repository = try SQLiteUserRepository(.file(path), configuration: configuration)
    let user = try await repository.create(.sample(0))
    let readers = (0..<4).map { _ in
      Task {
        var count = 0
        while !Task.isCancelled {
          _ = try repository.user(id: user.id)
          count += 1
          if count.isMultiple(of: 100) { await Task.yield() }
        }
        return count
      }
    }
    var largest = 0
    for batch in 0..<pages / 10 {
      _ = try await repository.create((0..<200).map { .sample(1 + batch * 200 + $0) })
      let attributes = try FileManager.default.attributesOfItem(atPath: path + "-wal")
      largest = max(largest, attributes[.size] as? Int ?? 0)
    }
    for reader in readers {
      reader.cancel()
      #expect(try await reader.value > 0)
    }
    // A checkpoint is due at this number of pages; the users of this test write more than ten times as many.
    #expect(largest < 5 * pages * 4_120)
    try await repository.close()
  }

  @Test("more threads than connections wait for each other, and every read succeeds")
  func fewConnections() async throws {
    var configuration = SQLiteUserRepository.Configuration()
    configuration.readers = 2
    let repository = try SQLiteUserRepository(.file(path), configuration: configuration)
    let user = try await repository.create(.sample(1))
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      DispatchQueue.global().async {
        DispatchQueue.concurrentPerform(iterations: 64) { _ in
          // A failure is not the user either, and fails the test.
          for _ in 0..<200 { #expect((try? repository.user(id: user.id)) == user) }
        }
        continuation.resume()
      }
    }
    try await repository.close()
  }
}
