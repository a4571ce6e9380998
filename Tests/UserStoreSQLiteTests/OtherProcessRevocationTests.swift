import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UserDomain
@testable import UserStoreSQLite

/// Tests tokens that another process revokes, for which a second repository of the same file stands.
@Suite(.tags(.io)) struct OtherProcessRevocationTests {
  private let directory: TemporaryDirectory
  private let ours: SQLiteUserRepository
  private let theirs: SQLiteUserRepository

  init() throws {
    directory = try TemporaryDirectory()
    ours = try SQLiteUserRepository(.file(directory.path("users.db")))
    theirs = try SQLiteUserRepository(.file(directory.path("users.db")))
  }

  private func isRevoked(_ user: UserID, session: SessionID? = nil, epoch: Int64 = 0) -> Bool {
    ours.revocations.isRevoked(
      AccessTokenClaims(
        principal: Principal(subject: "\(user)", scopes: []), issuedAt: .now, expiresAt: .now,
        session: session,
        epoch: epoch))
  }

  private func close() async throws {
    try await theirs.close()
    try await ours.close()
  }

  @Test("an inspection detects that another process made a user inactive, and active again")
  func epochs() async throws {
    let user = try await ours.create(.sample(1)).id
    await ours.inspect()
    _ = try await theirs.update(user, UserChanges(status: .inactive))
    #expect(!isRevoked(user))
    await ours.inspect()
    #expect(isRevoked(user))
    _ = try await theirs.update(user, UserChanges(status: .active))
    await ours.inspect()
    #expect(isRevoked(user))
    #expect(!isRevoked(user, epoch: 1))
    try await close()
  }

  @Test("an inspection detects that another process ended a session, and keeps its own ended sessions")
  func sessions() async throws {
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
    #expect(isRevoked(user.id, session: session.id))
    #expect(isRevoked(user.id, session: unknown))
    try await close()
  }

  @Test(
    "revocations are not loaded again for this process's own commits, nor for others' without revocations")
  func unchanged() async throws {
    let user = try await ours.create(.sample(1)).id
    await ours.inspect()
    _ = try await ours.update(user, UserChanges(status: .inactive))
    // The mark of the last load, before this revocation.
    let mark = ours.stored.withLock { $0.mark }
    await ours.inspect()
    #expect(ours.stored.withLock { $0.mark } == mark)
    #expect(isRevoked(user))
    _ = try await theirs.create(.sample(2))
    await ours.inspect()
    #expect(ours.stored.withLock { $0.mayBeStale } == false)
    #expect(isRevoked(user))
    try await close()
  }
}
