import Foundation
import GRDB
import GRDBSQLite
import TestSupport
import Testing
import UserDomain

@testable import UserStoreSQLite

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
    var listing = try await UserListing(repository: repository, after: nil, pageSize: 1_000)
    var count = 0
    var last: UserID?
    while let page = try await listing.nextPage() {
      for user in page {
        if let last, user.id <= last { Issue.record("\(user.id) after \(last)") }
        last = user.id
      }
      count += page.count
    }
    #expect(count == Self.users)
    #expect(try repository.lastPlace() == last)
    try expectFlatCost(path)
    try await repository.close()
  }

  /// Expects the same cost of pages everywhere in the table.
  private func expectFlatCost(_ path: String) throws {
    let connection = try SQLiteConnection(.file(path), .readOnly)
    let costs = try costsOfPages(connection)
    #expect(costs.count == 8 && costs.allSatisfy { $0 > 1_000 })
    #expect(Set(costs).count == 1)
    try connection.close()
  }

  /// Returns SQLite's own count of its virtual machine's steps for each of some pages
  /// (sqlite.org/c3ref/c_stmtstatus_counter.html): a measure without a clock.
  private func costsOfPages(_ connection: UserStoreSQLite.SQLiteConnection) throws -> [Int32] {
    let reads = try UserReadStatements(connection)
    let (ids, statement) = try connection.withDatabase { database in
      let ids = try Data.fetchAll(
        database, sql: "SELECT id FROM users WHERE email LIKE 'user%00000@example.com'")
      var statement = sqlite3_next_stmt(database.sqliteConnection, nil)
      while statement != nil, String(cString: sqlite3_sql(statement)) != UserPageStatements.byIDSQL {
        statement = sqlite3_next_stmt(database.sqliteConnection, statement)
      }
      return (ids, statement)
    }
    let found = try #require(statement)
    return try ids.prefix(8).map { id in
      sqlite3_stmt_status(found, SQLITE_STMTSTATUS_VM_STEP, 1)
      let users = try reads.readUsers(
        UserQuery(), after: id.withUnsafeBytes { UserID(bytes: $0) }.map { .id($0) }, through: .last,
        limit: 1_000
      ) { _, _, _ in }
      #expect(users.count == 1_000)
      return sqlite3_stmt_status(found, SQLITE_STMTSTATUS_VM_STEP, 1)
    }
  }
}
