import TestSupport
import Testing
import UserDomain
import UserStore

/// Tests tokens that another process revokes, for which a second repository of the same database stands.
@Suite(.tags(.io), .fewAtOnce) struct OtherProcessRevocationTests {
  private let fixture: StoreFixture

  init() throws { fixture = try StoreFixture() }

  private func isRevoked(
    _ user: UserID, session: SessionID? = nil, epoch: Int64 = 0, in repository: any ServiceStore
  ) -> Bool {
    repository.revocations.isRevoked(
      AccessTokenClaims(
        principal: Principal(subject: "\(user)", scopes: []), issuedAt: .now, expiresAt: .now,
        session: session,
        epoch: epoch))
  }

  @Test(
    "an inspection detects that another process made a user inactive, and active again",
    arguments: Engine.durable)
  func epochs(engine: Engine) async throws {
    let (ours, theirs) = (try await fixture.open(engine), try await fixture.open(engine))
    let user = try await ours.create(.sample(1)).id
    await ours.inspect()
    _ = try await theirs.update(user, UserChanges(status: .inactive))
    #expect(!isRevoked(user, in: ours))
    await ours.inspect()
    #expect(isRevoked(user, in: ours))
    _ = try await theirs.update(user, UserChanges(status: .active))
    await ours.inspect()
    #expect(isRevoked(user, in: ours))
    #expect(!isRevoked(user, epoch: 1, in: ours))
    try await theirs.close()
    try await ours.close()
  }

  @Test(
    "an inspection detects that another process ended a session, and keeps its own ended sessions",
    arguments: Engine.durable)
  func sessions(engine: Engine) async throws {
    let (ours, theirs) = (try await fixture.open(engine), try await fixture.open(engine))
    let user = try await ours.create(.sample(1))
    let now = Timestamp.now
    let session = Session(
      id: .random(), userID: user.id, tokenHash: [UInt8](repeating: 1, count: 32), rotatedAt: now,
      expiresAt: now + .seconds(1_000), keptUntil: now + .seconds(1_000))
    try await ours.create(
      session, epoch: 0, from: .network(PeerNetwork(peer: "ipv4:192.0.2.1:50000")))
    // A session that is not stored has no row that records its end.
    let unknown = SessionID.random()
    try await ours.end(unknown, now: now)
    await ours.inspect()
    try await theirs.end(session.id, now: now)
    await ours.inspect()
    #expect(isRevoked(user.id, session: session.id, in: ours))
    #expect(isRevoked(user.id, session: unknown, in: ours))
    try await theirs.close()
    try await ours.close()
  }
}
