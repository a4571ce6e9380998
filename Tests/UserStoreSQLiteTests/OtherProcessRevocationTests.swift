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
