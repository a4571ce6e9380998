import Testing
import UserDomain
import UserStore

@Suite struct UserRemovalOutcomeTests {
  private let deletion = UserDeletion(
    deletedAt: Timestamp(microsecondsSinceEpoch: 1_500_000),
    purgeAt: Timestamp(microsecondsSinceEpoch: 9_000_000))

  private func decide(
    _ stored: User?, _ removal: UserRemoval, _ write: UserWrite = UserWrite()
  ) -> Result<UserRemovalOutcome, UserError> {
    UserRemovalOutcome.decide(.ada, stored: stored, passwordHash: nil, removal, write, now: .decision)
  }

  @Test("a user that is expunged was deleted when it was deleted first")
  func expunged() throws {
    guard case .erase(let user) = try decide(.ada(deletion: deletion), .expunge).get() else {
      Issue.record("the user is not erased")
      return
    }
    #expect(user.deletion == UserDeletion(deletedAt: deletion.deletedAt, purgeAt: .decision))
    #expect(user.updatedAt == .decision)
  }

  @Test("a deleted user stays as it is, whatever its version, or is not found")
  func deletedBefore() {
    let stored = User.ada(deletion: deletion)
    let other = UserWrite(version: UserVersion(.decision))
    #expect(
      decide(stored, .soft(retention: .seconds(1), allowsDeleted: true), other)
        == .success(.unchanged(stored)))
    #expect(
      decide(stored, .soft(retention: .seconds(1), allowsDeleted: false))
        == .failure(.notFound(UserID.ada.description)))
    #expect(decide(stored, .expunge, other) == .failure(.versionMismatch))
  }
}
