import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

/// Tests tokens that another process than the service revokes one by one.
@Suite(.tags(.io)) struct TokenRevocationTests {
  private let directory: TemporaryDirectory
  private let revocations: SQLiteTokenRevocations
  private let now = Timestamp(microsecondsSinceEpoch: 1_764_000_000_000_000)

  init() throws {
    directory = try TemporaryDirectory()
    revocations = SQLiteTokenRevocations(path: directory.path("users.db"))
  }

  private func open() throws -> SQLiteUserRepository {
    try SQLiteUserRepository(.file(directory.path("users.db")))
  }

  private func revoke(_ id: TokenID, expires: Duration? = .seconds(60), at time: Timestamp? = nil) throws
    -> Bool
  {
    try revocations.revoke(
      RevokedToken(
        id: id, subject: expires.map { _ in "billing" }, expiresAt: expires.map { now + $0 },
        revokedAt: time ?? now), longest: .seconds(1_000))
  }

  private func isRevoked(_ id: TokenID, in repository: SQLiteUserRepository) -> Bool {
    repository.revocations.isRevoked(
      AccessTokenClaims(
        principal: Principal(subject: "billing", scopes: []), issuedAt: now, expiresAt: now, tokenID: id))
  }

  @Test("a repository learns of revocations by an inspection, and when it is opened")
  func learned() async throws {
    let repository = try open()
    let (revoked, other) = (TokenID.random(), TokenID.random())
    #expect(try revoke(revoked))
    #expect(!isRevoked(revoked, in: repository))
    await repository.inspect()
    #expect(isRevoked(revoked, in: repository) && !isRevoked(other, in: repository))
    // The service writes, too, after the other process's commit.
    _ = try await repository.create(.sample(1))
    try await repository.close()
    let again = try open()
    #expect(isRevoked(revoked, in: again))
    try await again.close()
  }

  @Test("a token is revoked once, and later details are added")
  func twice() async throws {
    try await open().close()
    let id = TokenID.random()
    #expect(try revoke(id, expires: nil))
    #expect(try revocations.list().map(\.subject) == [nil])
    #expect(try !revoke(id, at: now + .seconds(5)))
    #expect(
      try revocations.list() == [
        RevokedToken(id: id, subject: "billing", expiresAt: now + .seconds(60), revokedAt: now)
      ])
    #expect(try !revoke(id, expires: nil))
    #expect(try revocations.list().first?.subject == "billing")
  }

  @Test(
    "a revocation is deleted a day after its token expires, or after the longest lifetime if the expiry is unknown"
  )
  func forgotten() async throws {
    try await open().close()
    let (known, unknown) = (TokenID.random(), TokenID.random())
    #expect(try revoke(known))
    #expect(try revoke(unknown, expires: nil))
    let day = RevokedToken.margin
    for (elapsed, count) in [
      (Duration.seconds(60), 2), (.seconds(61), 1), (.seconds(1_000), 1), (.seconds(1_001), 0),
    ] {
      let other = TokenID.random()
      #expect(try revoke(other, at: now + day + elapsed))
      #expect(try revocations.list().filter { [known, unknown].contains($0.id) }.count == count)
    }
  }

  @Test("the epoch of an active user is the one that its tokens need")
  func epoch() async throws {
    let repository = try open()
    let user = try await repository.create(.sample(1))
    #expect(try revocations.epoch(of: user.id) == 0)
    _ = try await repository.update(user.id, UserChanges(password: .remove))
    #expect(try revocations.epoch(of: user.id) == 1)
    _ = try await repository.update(user.id, UserChanges(status: .inactive))
    #expect(try revocations.epoch(of: user.id) == nil)
    #expect(try revocations.epoch(of: UserID(high: 1, low: 2)) == nil)
    try await repository.close()
  }

  @Test("a missing or not fully migrated database is refused")
  func notMigrated() throws {
    let path = directory.path("users.db")
    #expect(throws: StoreError.missing(path: path)) { try revocations.list() }
    let last = try #require(Migration.embedded.last)
    try SQLiteMigrator(path: path).up(to: last.version - 1)
    #expect(throws: StoreError.pending(path: path, migrations: [last.id])) { try revoke(.random()) }
  }
}
