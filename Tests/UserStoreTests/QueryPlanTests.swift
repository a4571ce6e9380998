import GRDB
import Testing
import UserDomain

@testable import UserStore

/// The hot statements walk an index and never skip over rows they do not return.
@Suite struct QueryPlanTests {
  private func plan(_ sql: String) throws -> [String] {
    let connection = try SQLiteConnection(.inMemory, .create)
    try SchemaMigrator(connection, at: .inMemory, migrations: Migration.embedded).up()
    defer { try? connection.close() }
    return try connection.withDatabase { database in
      let statement = try database.makeStatement(sql: "EXPLAIN QUERY PLAN \(sql)")
      // Parameters that are not bound are NULL, which makes no difference to the plan.
      statement.setUncheckedArguments([])
      return try Row.fetchAll(statement).map { $0["detail"] }
    }
  }

  @Test("a page is a range of the primary key, without a sort")
  func page() throws {
    #expect(try plan(UserReadStatements.pageSQL) == ["SEARCH users USING PRIMARY KEY (id>? AND id<?)"])
  }

  @Test("a point read is one search of the primary key")
  func byID() throws {
    #expect(try plan(UserReadStatements.byIDSQL) == ["SEARCH users USING PRIMARY KEY (id=?)"])
  }

  @Test("a credential is found by the index over addresses")
  func credential() throws {
    let steps = try plan(UserReadStatements.credentialSQL)
    #expect(steps.count == 2)
    #expect(steps.first?.contains("USING INDEX sqlite_autoindex_users_2 (email_key=?)") == true)
    #expect(steps.last?.contains("PRIMARY KEY (user_id=?)") == true)
  }

  @Test("no statement uses OFFSET")
  func noOffset() {
    for sql in [
      UserReadStatements.pageSQL, UserReadStatements.byIDSQL, UserReadStatements.credentialSQL,
      UserReadStatements.newestSQL,
    ] {
      #expect(!sql.uppercased().contains("OFFSET"))
    }
  }
}
