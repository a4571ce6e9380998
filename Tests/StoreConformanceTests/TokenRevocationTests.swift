import TestSupport
import Testing
import UserDomain
import UserStore
import UserStoreSQLite

/// Tests tokens that another process than the service revokes one by one.
@Suite(.tags(.io), .fewAtOnce) struct TokenRevocationTests {
  private let fixture: StoreFixture
  private let now = Timestamp(microsecondsSinceEpoch: 1_764_000_000_000_000)

  init() throws { fixture = try StoreFixture() }

  private func revoke(
    _ id: TokenID, expires: Duration? = .seconds(60), at time: Timestamp? = nil,
    in revocations: any TokenRevocations
  ) throws -> Bool {
    try revocations.revoke(
      RevokedToken(
        id: id, subject: expires.map { _ in "billing" }, expiresAt: expires.map { now + $0 },
        revokedAt: time ?? now), longest: .seconds(1_000))
  }

  private func isRevoked(_ id: TokenID, in repository: any ServiceStore) -> Bool {
    repository.revocations.isRevoked(
      AccessTokenClaims(
        principal: Principal(subject: "billing", scopes: []), issuedAt: now, expiresAt: now, tokenID: id))
  }

  @Test(
    "a repository learns of revocations by an inspection, and when it is opened", arguments: Engine.durable)
  func learned(engine: Engine) async throws {
    let revocations = try await fixture.revocations(engine)
    let repository = try await fixture.open(engine)
    let (revoked, other) = (TokenID.random(), TokenID.random())
    #expect(try revoke(revoked, in: revocations))
    #expect(!isRevoked(revoked, in: repository))
    await repository.inspect()
    #expect(isRevoked(revoked, in: repository) && !isRevoked(other, in: repository))
    // The service writes, too, after the other process's commit.
    _ = try await repository.create(.sample(1))
    try await repository.close()
    let again = try await fixture.open(engine)
    #expect(isRevoked(revoked, in: again))
    try await again.close()
  }

  @Test("a token is revoked once, and later details are added", arguments: Engine.durable)
  func twice(engine: Engine) async throws {
    let revocations = try await fixture.revocations(engine)
    try await fixture.open(engine).close()
    let id = TokenID.random()
    #expect(try revoke(id, expires: nil, in: revocations))
    #expect(try revocations.list().map(\.subject) == [nil])
    #expect(try !revoke(id, at: now + .seconds(5), in: revocations))
    #expect(
      try revocations.list() == [
        RevokedToken(id: id, subject: "billing", expiresAt: now + .seconds(60), revokedAt: now)
      ])
    #expect(try !revoke(id, expires: nil, in: revocations))
    #expect(try revocations.list().first?.subject == "billing")
  }

  @Test(
    "a revocation is deleted a day after its token expires, or after the longest lifetime if the expiry is unknown",
    arguments: Engine.durable)
  func forgotten(engine: Engine) async throws {
    let revocations = try await fixture.revocations(engine)
    try await fixture.open(engine).close()
    let (known, unknown) = (TokenID.random(), TokenID.random())
    #expect(try revoke(known, in: revocations))
    #expect(try revoke(unknown, expires: nil, in: revocations))
    let day = RevokedToken.margin
    for (elapsed, count) in [
      (Duration.seconds(60), 2), (.seconds(61), 1), (.seconds(1_000), 1), (.seconds(1_001), 0),
    ] {
      let other = TokenID.random()
      #expect(try revoke(other, at: now + day + elapsed, in: revocations))
      #expect(try revocations.list().filter { [known, unknown].contains($0.id) }.count == count)
    }
  }

  @Test("the epoch of an active user is the one that its tokens need", arguments: Engine.durable)
  func epoch(engine: Engine) async throws {
    let revocations = try await fixture.revocations(engine)
    let repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1))
    #expect(try revocations.epoch(of: user.id) == 0)
    _ = try await repository.update(user.id, UserChanges(password: .remove))
    #expect(try revocations.epoch(of: user.id) == 1)
    _ = try await repository.update(user.id, UserChanges(status: .inactive))
    #expect(try revocations.epoch(of: user.id) == nil)
    #expect(try revocations.epoch(of: UserID(high: 1, low: 2)) == nil)
    try await repository.close()
  }

  @Test("a database that is not fully migrated is refused", arguments: Engine.durable)
  func notMigrated(engine: Engine) async throws {
    let revocations = try await fixture.revocations(engine)
    try await fixture.open(engine).close()
    let last = try #require(Migration.embedded.last)
    _ = try await fixture.migrator(engine).down(to: last.version - 1, report: { _ in }, progress: nil)
    for use in [{ _ = try revocations.list() }, { _ = try revoke(.random(), in: revocations) }] {
      let error = #expect(throws: StoreError.self) { try use() }
      guard case .pending(_, [last.id]) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
  }
}
