import TestSupport
import Testing
import UserDomain
import UserStore
import UserStoreSQLite

/// Tests tokens that another process than the service revokes one by one, in a file.
@Suite(.tags(.io)) struct TokenRevocationTests {
  @Test("a missing database is refused")
  func missing() throws {
    let path = try TemporaryDirectory().path("users.db")
    #expect(throws: StoreError.missing(path: path)) { try SQLiteTokenRevocations(path: path).list() }
  }
}
