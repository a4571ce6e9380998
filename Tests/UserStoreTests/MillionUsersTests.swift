import Foundation
import GRDB
import GRDBSQLite
import TestSupport
import Testing
import UserDomain

@testable import UserStore

@Suite(.tags(.heavy)) struct MillionUsersTests {
  private static let users = 1_000_000

  @Test(
    "1,000,000 users load, and a listing returns each once, in order, at the same cost from first to last")
  func walk() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("users.db")
    let repository = try SQLiteUserRepository(.file(path))
    for start in stride(from: 0, to: Self.users, by: 10_000) {
      let outcomes = try await repository.create((start..<start + 10_000).map { .sample($0) })
      for outcome in outcomes { if case .failure(let error) = outcome { throw error } }
    }
    var listing = try UserListing(repository: repository, after: nil, pageSize: 1_000)
    var count = 0
    var last: UserID?
    while let page = try listing.nextPage() {
      for user in page {
        if let last, user.id <= last { Issue.record("\(user.id) after \(last)") }
        last = user.id
      }
      count += page.count
    }
    #expect(count == Self.users)
    #expect(try repository.newestUserID() == last)
    try await expectFlatCost(path)
    try await repository.close()
  }

  /// Returns SQLite's own count of its virtual machine's steps for a page (sqlite.org/c3ref/c_stmtstatus_counter.html):
  /// a measure without a clock.
  private func expectFlatCost(_ path: String) async throws {
    let queue = try DatabaseQueue(path: path)
    let steps = try await queue.read { database in
      let ids = try Data.fetchAll(
        database, sql: "SELECT id FROM users WHERE email LIKE 'user%00000@example.com'")
      let statement = try database.makeStatement(sql: UserReadStatements.pageSQL)
      return try ids.prefix(8).map { id in
        sqlite3_stmt_status(statement.sqliteStatement, SQLITE_STMTSTATUS_VM_STEP, 1)
        _ = try Row.fetchAll(statement, arguments: [id, 1_000])
        return sqlite3_stmt_status(statement.sqliteStatement, SQLITE_STMTSTATUS_VM_STEP, 1)
      }
    }
    #expect(steps.count == 8)
    #expect(Set(steps).count == 1)
    try queue.close()
  }
}
