import GRDB
public import UserDomain

extension SQLiteUserRepository: SignInAttemptRepository {
  public func history(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) throws(UserError) -> SignInHistory {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.signIns.history(of: account, from: source, now: now)
    }
  }

  public func deviceUser(_ session: SessionID) throws(UserError) -> UserID? {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.signIns.deviceUser(session)
    }
  }

  public func noteFailure(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) async throws(UserError) {
    try await writer.write(rows: 1) { (statements) throws(DatabaseError) in
      .success(try statements.attempts.noteFailure(of: account, from: source, now: now))
    }
  }

  public func forgetFailures(
    of account: SignInAccount, from source: SignInSource
  ) async throws(UserError) {
    try await writer.write(rows: 1) { (statements) throws(DatabaseError) in
      .success(try statements.attempts.forgetFailures(of: account, from: source))
    }
  }

  @discardableResult
  public func unlock(_ user: UserID) async throws(UserError) -> Int {
    try await writer.write(rows: 1) { (statements) throws(DatabaseError) in
      try statements.unlock(user)
    }
  }
}
