import TestSupport

@testable import UserStorePostgres

/// The versions of PostgreSQL that a test runs on; nil if none is installed, which fails the test.
let postgresVersions: [PostgresPrograms?] =
  PostgresPrograms.installed.isEmpty ? [nil] : PostgresPrograms.installed

/// Returns the address of a new database with all migrations.
func newDatabase(_ programs: PostgresPrograms?) async throws -> PostgresAddress {
  guard let programs else { throw PostgresPrograms.Missing() }
  return try PostgresAddress(try await PostgresServer.shared(programs).database())
}

/// Connects to a database, to execute one statement after another.
func connect(_ address: PostgresAddress) throws -> LibpqHandle {
  try PostgresConnector(address: address, role: .administration(lockTimeout: .seconds(10))).open()
}
