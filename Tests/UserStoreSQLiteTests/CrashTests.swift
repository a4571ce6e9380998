import Foundation
import TestSupport
import Testing
import UserDomain
import UserStore
import UserStoreSQLite

/// Kills a second process while it writes.
@Suite(.tags(.heavy)) struct CrashTests {
  private static let rounds = 20

  @Test("kill -9 loses no acknowledged user, round after round on the same file")
  func killNine() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("users.db")
    var acknowledged: Set<String> = []
    for round in 0..<Self.rounds {
      // Each round waits for a few more acknowledgements, so that the kill meets the writer in different states.
      let ids = try await killAfter(lines: 20 + round * 37, database: path)
      #expect(ids.count >= 20)
      acknowledged.formUnion(ids)

      let repository = try SQLiteUserRepository(.file(path))
      var stored: Set<String> = []
      var listing = try await UserListing(repository: repository, after: nil, pageSize: 1_000)
      while let page = try await listing.nextPage() { stored.formUnion(page.map(\.id.description)) }
      try await repository.close()
      #expect(acknowledged.subtracting(stored).isEmpty)
      try SQLiteMigrator(path: path).verify()
    }
  }

  /// Runs the writer, kills it once it has written `lines` lines, and returns all its lines.
  private func killAfter(lines: Int, database: String) async throws -> [String] {
    let process = try ChildProcess("store-probe", ["create-forever", database])
    _ = await process.output(ofLines: lines)
    process.signal(SIGKILL)
    #expect(await process.waitUntilExit().isSignal)
    return await process.output.split(separator: "\n").filter { $0.count == 36 }.map(String.init)
  }
}
