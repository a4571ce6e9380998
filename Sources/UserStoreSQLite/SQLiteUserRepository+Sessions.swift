import GRDB
public import UserDomain

extension SQLiteUserRepository: SessionRepository {
  public func create(_ session: Session, epoch: Int64, from source: SignInSource) async throws(UserError) {
    try await write { (sessions) throws(DatabaseError) in
      try sessions.create(session, epoch: epoch, from: source)
    }
  }

  public func refresh(
    _ refresh: SessionRefresh
  ) async throws(UserError) -> (session: Session, epoch: Int64) {
    try await write { (sessions) throws(DatabaseError) in try sessions.refresh(refresh) }
  }

  public func end(_ session: SessionID, now: Timestamp) async throws(UserError) {
    try await write { (sessions) throws(DatabaseError) in
      .success(try sessions.end(session, now: now))
    }
  }

  public func upgrade(
    _ old: PasswordHash, to new: PasswordHash, of user: UserID
  ) async throws(UserError) {
    try await write { (sessions) throws(DatabaseError) in
      .success(try sessions.upgrade(old, to: new, of: user))
    }
  }

  private func write<Value: Sendable>(
    _ work: @escaping @Sendable (SessionStatements) throws(DatabaseError) -> Result<Value, UserError>
  ) async throws(UserError) -> Value {
    try await writer.write(rows: 1) { (statements) throws(DatabaseError) in try work(statements.sessions) }
  }
}
