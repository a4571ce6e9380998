import UserDomain

/// A store that reports the upgrade of a hash, which follows the sign-in that caused it.
struct UpgradeObserver: SessionRepository {
  private let base: any SessionRepository
  private let upgraded: @Sendable () -> Void

  init(_ base: any SessionRepository, _ upgraded: @escaping @Sendable () -> Void) {
    self.base = base
    self.upgraded = upgraded
  }

  func create(_ session: Session, epoch: Int64, from source: SignInSource) async throws(UserError) {
    try await base.create(session, epoch: epoch, from: source)
  }

  func refresh(_ refresh: SessionRefresh) async throws(UserError) -> (session: Session, epoch: Int64) {
    try await base.refresh(refresh)
  }

  func end(_ session: SessionID, now: Timestamp) async throws(UserError) {
    try await base.end(session, now: now)
  }

  func upgrade(_ old: PasswordHash, to new: PasswordHash, of user: UserID) async throws(UserError) {
    try await base.upgrade(old, to: new, of: user)
    upgraded()
  }
}
