import TestSupport
import UserStore

@testable import UserStorePostgres

/// A new and empty database of PostgreSQL, on the server of the tests.
struct TestDatabase: Sendable {
  let uri: String
  let address: PostgresAddress

  init() async throws {
    guard let programs = PostgresPrograms.installed.first else { throw PostgresPrograms.Missing() }
    uri = try await PostgresServer.shared(programs).database(isMigrated: false)
    address = try PostgresAddress(uri)
  }

  /// Executes a statement in the database, and returns the first value of its result, as text.
  @discardableResult
  func execute(_ sql: String) throws -> String? {
    let result = try PostgresConnector(address: address, role: .administration(lockTimeout: .seconds(10)))
      .open()
      .executeAll(sql)
    return result.count == 0 || result.isNull(0, 0) ? nil : result.text(0, 0)
  }
}
