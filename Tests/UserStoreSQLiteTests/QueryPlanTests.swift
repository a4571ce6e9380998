import GRDB
import GRDBSQLite
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

/// Checks that the hot statements use an index and never skip rows that they do not return.
@Suite(.tags(.io)) struct QueryPlanTests {
  private func plan(_ sql: String) throws -> [String] {
    let connection = try SQLiteConnection(.inMemory, .create)
    try SchemaMigrator(connection, at: .inMemory, migrations: Migration.embedded).up()
    // As in memory, nothing is left behind.
    defer { try? connection.close() }
    return try connection.withDatabase { database in
      _ = try UserPageStatements.defineFunction(on: database)
      let statement = try database.makeStatement(sql: "EXPLAIN QUERY PLAN \(sql)")
      // Unbound parameters are NULL, which makes no difference to the plan.
      statement.setUncheckedArguments([])
      return try Row.fetchAll(statement).map { $0["detail"] }
    }
  }

  @Test("a page is a range of the primary key, without a sort")
  func page() throws {
    #expect(try plan(UserPageStatements.byIDSQL) == ["SEARCH users USING PRIMARY KEY (id>?)"])
  }

  @Test("every filter walks an index, in the order of its listing")
  func filters() throws {
    let plans = [
      UserPageStatements.byPlaceSQL: ["SEARCH users USING INDEX users_by_place (place>?)"],
      UserPageStatements.byEmailSQL: [
        "SEARCH users USING INDEX sqlite_autoindex_users_2 ((email_key,id)>(?,?))"
      ],
      UserPageStatements.byNameSQL: ["SEARCH users USING INDEX users_by_name ((searched_name,id)>(?,?))"],
      UserPageStatements.byUpdateSQL: ["SEARCH users USING INDEX users_by_update ((changed_at,id)>(?,?))"],
      UserPageStatements.inactiveSQL: ["SEARCH users USING INDEX users_inactive (status=? AND id>?)"],
      UserPageStatements.byLabelSQL: [
        "SEARCH user_labels USING PRIMARY KEY (key=? AND value=? AND user_id>?)",
        "SEARCH users USING PRIMARY KEY (id=?)",
      ],
      UserPageStatements.firstPlaceSQL: ["SEARCH users USING COVERING INDEX users_by_place (place>?)"],
      UserPageStatements.nextIDSQL: ["SEARCH users USING PRIMARY KEY (id>? AND id<?)"],
      UserReadStatements.byPlaceSQL: ["SEARCH users USING COVERING INDEX users_by_place (place=?)"],
      SessionStatements.forgetRetiredSQL: [
        "SEARCH erased_users USING PRIMARY KEY (user_id=?)", "LIST SUBQUERY 1",
        "SEARCH erased_users USING COVERING INDEX erased_users_by_kept_until (kept_until<?)",
      ],
      UserReadStatements.byEmailSQL: ["SEARCH users USING INDEX sqlite_autoindex_users_2 (email_key=?)"],
      UserReadStatements.newestSQL: ["SEARCH users USING PRIMARY KEY (id<?)"],
      UserReadStatements.lastPlaceSQL: ["SEARCH users USING COVERING INDEX users_by_place (place>?)"],
      UserReadStatements.dueSQL: ["SEARCH users USING COVERING INDEX users_deleted (purge_at<?)"],
      UserChangeStatements.purgeableSQL: ["SEARCH users USING COVERING INDEX users_deleted (purge_at<?)"],
    ]
    for (sql, steps) in plans { #expect(try plan(sql) == steps, "\(sql)") }
  }

  @Test("a point read is one search of the primary key")
  func byID() throws {
    #expect(try plan(UserReadStatements.byIDSQL) == ["SEARCH users USING PRIMARY KEY (id=?)"])
  }

  @Test("a credential is found by the index over addresses")
  func credential() throws {
    let steps = try plan(UserReadStatements.credentialSQL)
    #expect(steps.count == 3)
    #expect(steps.first?.contains("USING INDEX sqlite_autoindex_users_2 (email_key=?)") == true)
    #expect(steps[1...].allSatisfy { $0.contains("PRIMARY KEY (user_id=?)") })
  }

  @Test("expired rows, and a user's oldest sessions, are found by an index")
  func clearingAway() throws {
    #expect(
      try plan(SessionStatements.purgeSessionsSQL).contains {
        $0.contains("USING COVERING INDEX sessions_by_kept_until (kept_until<?)")
      })
    for table in [AttemptTable.attempts, AttemptTable.accounts, AttemptTable.devices] {
      for (condition, _) in table.kinds {
        for (sql, range) in [
          (AttemptTable.purgeSQL(table, condition), "(last_at<?)"),
          (AttemptTable.mendSQL(table, condition), "(last_at>?)"),
        ] {
          let steps = try plan(sql)
          #expect(steps.contains { $0.contains("INDEX \(table.name)_") && $0.contains(range) }, "\(steps)")
          #expect(!steps.contains { $0.hasPrefix("SCAN \(table.name)") }, "\(steps)")
        }
        let steps = try plan(AttemptTable.dropSQL(table, condition))
        #expect(steps.contains { $0.contains("INDEX \(table.name)_") }, "\(steps)")
        #expect(!steps.contains { $0.contains("USE TEMP B-TREE") }, "\(steps)")
      }
    }
    #expect(
      try plan(SignInAttemptStatements.devicesInExcessSQL).contains {
        $0.contains("INDEX known_devices_by_user (user_id=?)")
      })
    #expect(
      try plan(SessionStatements.oldestSessionsSQL).contains { $0.contains("USING INDEX sessions_by_user") })
  }

  @Test("a request is found by its id, and a user's or expired requests by an index")
  func createRequests() throws {
    let steps = try plan(CreateRequestStatements.rememberedSQL)
    #expect(steps.count == 3 && steps.allSatisfy { $0.contains("USING PRIMARY KEY") })
    typealias Purge = CreateRequestStatements.Purge
    for (condition, range) in [(Purge.expired, "(made_at<?)"), (Purge.ahead, "(made_at>?)")] {
      for sql in [Purge.searchSQL(condition), Purge.deleteSQL(condition)] {
        #expect(
          try plan(sql).contains { $0.contains("USING COVERING INDEX create_requests_by_made_at \(range)") })
      }
    }
    #expect(
      try plan(CreateRequestStatements.forgetSQL).contains {
        $0.contains("create_requests_by_user (user_id=?)")
      })
  }
}
