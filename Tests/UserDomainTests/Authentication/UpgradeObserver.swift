import UserDomain

/// A store that tells when a hash was upgraded, which happens after the sign-in that caused it.
struct UpgradeObserver: SessionRepository {
  private let base: any SessionRepository
  private let upgraded: @Sendable () -> Void

  init(_ base: any SessionRepository, _ upgraded: @escaping @Sendable () -> Void) {
    self.base = base
    self.upgraded = upgraded
  }

  func beginSignIn(_ account: SignInAccount, now: Timestamp) async throws(UserError) -> SignInAttempts {
    try await base.beginSignIn(account, now: now)
  }

  func withdrawSignIn(
    _ account: SignInAccount, begun now: Timestamp, after before: SignInAttempts
  ) async throws(UserError) {
    try await base.withdrawSignIn(account, begun: now, after: before)
  }

  func create(_ session: Session, epoch: Int64, account: SignInAccount) async throws(UserError) {
    try await base.create(session, epoch: epoch, account: account)
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
