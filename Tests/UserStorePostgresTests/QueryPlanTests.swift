import TestSupport
import Testing

@testable import UserStorePostgres

/// Checks that every statement goes by an index, in its order, with the settings of its session.
@Suite(.tags(.io), .fewAtOnce, .timeLimit(.minutes(10))) struct QueryPlanTests {
  /// In the order of the rows, as those of new users are.
  private static let id = "lpad(to_hex(n), 32, '0')::uuid"
  /// Twenty thousand users, most with the same label, and sessions, epochs and notes of many.
  private static let rows = """
    INSERT INTO users (id, email, email_key, name, name_key, status, created_at, labels)
    SELECT \(id), 'u' || n, convert_to('u' || n, 'UTF8'), 'n', 'n', 1 + (n % 50 = 0)::int, n, 'plan=free'
    FROM generate_series(1, 20000) AS n;
    INSERT INTO user_labels (key, value, user_id)
    SELECT 'plan', CASE WHEN n % 100 = 0 THEN 'gold'::bytea ELSE 'free' END, \(id)
    FROM generate_series(1, 20000) AS n;
    INSERT INTO token_epochs SELECT \(id), 1, n FROM generate_series(1, 20000, 2) AS n;
    INSERT INTO sessions (id, user_id, token_hash, rotated_at, expires_at, ended_at, kept_until)
    SELECT md5('s' || n)::uuid, \(id), sha256('x'), n, n, nullif(n % 2, 0), n
    FROM generate_series(1, 20000) AS n;
    INSERT INTO revocation_events (revision, kind, id, at, kept_until)
    SELECT n, 2, md5('s' || n)::uuid, n, n FROM generate_series(1, 20000) AS n;
    """

  /// Returns the plan of a prepared statement.
  private func plan(_ statement: Statement, _ handle: LibpqHandle) throws -> String {
    let count = (1...20).last { statement.sql.contains("$\($0)") } ?? 0
    // The plan is the one for any parameters.
    let parameters = count == 0 ? "" : "(\(Array(repeating: "NULL", count: count).joined(separator: ",")))"
    let lines = try handle.execute("EXPLAIN EXECUTE \"\(statement.name)\"\(parameters)")
    return (0..<lines.count).map { lines.text($0, 0) }.joined(separator: "\n")
  }

  private func fill(_ address: PostgresAddress, analysed: Bool) throws {
    let handle = try connect(address)
    _ = try handle.executeAll(Self.rows)
    if analysed { _ = try handle.executeAll("ANALYZE") }
  }

  @Test(
    "no read joins, sorts or reads a whole table, with statistics or without", arguments: postgresVersions)
  func reads(programs: PostgresPrograms?) async throws {
    let statements = (ReadStatements.all + RevocationStatements.all).filter { $0.sql.hasPrefix("SELECT") }
    for (isFilled, isAnalysed) in [(false, false), (true, false), (true, true)] {
      let address = try await newDatabase(programs)
      if isFilled { try fill(address, analysed: isAnalysed) }
      let handle = try PostgresConnector(address: address, role: .reading, statements: statements).open()
      for statement in statements {
        let plan = try plan(statement, handle)
        for step in [
          "Merge Join", "Hash", "Sort", "Seq Scan on users", "Seq Scan on user_labels", "Seq Scan on sess",
        ] {
          #expect(!plan.contains(step), "\(statement.name): \(plan)")
        }
        for table in ["token_epochs", "revocation_events", "password_credentials"] {
          #expect(!plan.contains("Seq Scan on \(table)"), "\(statement.name): \(plan)")
        }
      }
    }
  }

  @Test("no write reads all users, sessions or epochs", arguments: postgresVersions)
  func writes(programs: PostgresPrograms?) async throws {
    let transactions: Set = ["begin", "commit", "rollback"]
    let statements = WriteStatements.all.filter { !transactions.contains($0.name) }
    for (isFilled, isAnalysed) in [(false, false), (true, false), (true, true)] {
      let address = try await newDatabase(programs)
      if isFilled { try fill(address, analysed: isAnalysed) }
      let role = PostgresConnector.Role.writing(lockTimeout: .seconds(1))
      let handle = try PostgresConnector(address: address, role: role, statements: statements).open()
      _ = try handle.executeAll("SET plan_cache_mode = force_generic_plan")
      for statement in statements {
        let plan = try plan(statement, handle)
        for table in ["users", "sessions", "token_epochs", "revocation_events"] {
          #expect(!plan.contains("Seq Scan on \(table)"), "\(statement.name): \(plan)")
        }
      }
    }
  }
}
