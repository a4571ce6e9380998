import TestSupport
import Testing
import UserStore

@testable import UserStorePostgres

/// Tests databases that other programs use, too.
@Suite(.tags(.io), .fewAtOnce, .timeLimit(.minutes(10))) struct PostgresMigratorTests {
  private func emptyDatabase(_ programs: PostgresPrograms?) async throws -> PostgresAddress {
    guard let programs else { throw PostgresPrograms.Missing() }
    return try PostgresAddress(try await PostgresServer.shared(programs).database(isMigrated: false))
  }

  private func tables(_ handle: LibpqHandle) throws -> [String] {
    let rows = try handle.execute(
      """
      SELECT schemaname || '.' || tablename FROM pg_tables
      WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
      """)
    return (0..<rows.count).map { rows.text($0, 0) }
  }

  private static let foreign = [
    ("schema_migrations", "version text PRIMARY KEY"), ("schema_migrations", "version bigint, dirty boolean"),
    ("sessions", "id integer"), ("users", "id integer"), ("store_revision", "id integer"),
    ("revoked_tokens", "id integer"),
  ]

  @Test(
    "a database with another program's table of a name of ours is refused, and nothing is changed",
    arguments: postgresVersions, foreign)
  func foreignTable(programs: PostgresPrograms?, table: (name: String, columns: String)) async throws {
    let address = try await emptyDatabase(programs)
    let handle = try connect(address)
    _ = try handle.executeAll("CREATE TABLE \(table.name) (\(table.columns))")
    let before = try tables(handle)
    let migrator = PostgresMigrator(address)
    let attempts: [() throws -> Void] = [
      { _ = try migrator.up(to: nil, report: { _ in }, progress: nil) },
      { _ = try migrator.down(to: nil, report: { _ in }, progress: nil) },
      { _ = try migrator.status() }, { try migrator.verify() }, { try migrator.prepareForService() },
      { try migrator.requireUsable() },
    ]
    for attempt in attempts {
      let error = try #require(#expect(throws: StoreError.self) { try attempt() })
      #expect(
        error.description
          == "\(address): it has a table '\(table.name)' of another program; nothing was changed")
    }
    #expect(try tables(handle) == before)
  }

  @Test("tables of another program in another schema do not matter", arguments: postgresVersions)
  func otherSchema(programs: PostgresPrograms?) async throws {
    let address = try await emptyDatabase(programs)
    let handle = try connect(address)
    _ = try handle.executeAll("CREATE TABLE sessions (id integer); CREATE SCHEMA postgres")
    let migrator = PostgresMigrator(address)
    #expect(try migrator.up() == Migration.postgres.count)
    #expect(try tables(handle).filter { $0.hasPrefix("public.") } == ["public.sessions"])
    #expect(try migrator.down(to: 0, report: { _ in }, progress: nil) == 0)
    #expect(try migrator.up() == Migration.postgres.count)
  }

  @Test(
    "an upgrade goes on in the schema of the history, whatever other schema was made since",
    arguments: postgresVersions)
  func newSchema(programs: PostgresPrograms?) async throws {
    let address = try await emptyDatabase(programs)
    let older = PostgresMigrator(address, migrations: Array(Migration.postgres.dropLast()))
    let version = try older.up()
    let handle = try connect(address)
    // First in the search path, as the name of the role.
    _ = try handle.executeAll("CREATE SCHEMA postgres")
    var reported: [Int] = []
    _ = try PostgresMigrator(address).up(to: nil, report: { reported.append($0.version) }, progress: nil)
    #expect(reported == [version + 1])
    #expect(try tables(handle).allSatisfy { $0.hasPrefix("public.") })
    try PostgresMigrator(address).verify()
  }
}
