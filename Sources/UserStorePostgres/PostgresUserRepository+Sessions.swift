public import UserDomain

extension PostgresUserRepository {
  public func create(_ session: Session, epoch: Int64, from source: SignInSource) async throws(UserError) {
    try await writer.write(WriteOperation<Void>.create(session, epoch: epoch, from: source))
  }

  public func refresh(
    _ refresh: SessionRefresh
  ) async throws(UserError) -> (session: Session, epoch: Int64) {
    try await writer.write(.refresh(refresh))
  }

  public func end(_ session: SessionID, now: Timestamp) async throws(UserError) {
    try await writer.write(WriteOperation<Void>.end(session, now: now))
  }

  public func upgrade(
    _ old: PasswordHash, to new: PasswordHash, of user: UserID
  ) async throws(UserError) {
    try await writer.write(WriteOperation<Void>.upgrade(old, to: new, of: user))
  }
}

// MARK: SignInAttemptRepository

extension PostgresUserRepository {
  public func history(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) async throws(UserError) -> SignInHistory {
    async let accountFailures = accountFailures(of: account, now: now)
    let attempts = try await attempts(at: account, from: source, now: now)
    return SignInHistory(source: attempts, accountFailures: try await accountFailures.get())
  }

  private func accountFailures(of account: SignInAccount, now: Timestamp) async -> Result<Int, UserError> {
    do throws(UserError) {
      let rows = try await read(Command(ReadStatements.accountFailures, .bytes(account.key)))
      return .success(rows.accountFailures(at: now))
    } catch {
      return .failure(error)
    }
  }

  private func attempts(
    at account: SignInAccount, from source: SignInSource, now: Timestamp
  ) async throws(UserError) -> SignInAttempts {
    switch source {
    case .network(let network):
      let rows = try await read(
        Command(ReadStatements.networkFailures, .bytes(account.key), .bytes(network.key)))
      guard rows.count > 0 else { return SignInAttempts(failures: 0, lastAt: now) }
      let isForgotten = rows.time(0, 1) + SignInAttempts.networkRetention < now
      return SignInAttempts(failures: isForgotten ? 0 : Int(rows.integer(0, 0)), lastAt: rows.time(0, 1))
    case .device(let session):
      let rows = try await read(Command(ReadStatements.device, .bytes(session.bytes)))
      guard rows.count > 0, let user = rows.id(0, 0), account == .user(user) else {
        // The device has failed too often since it was looked up, and is no longer known.
        return SignInAttempts(failures: SignInAttempts.deviceLimit, lastAt: now)
      }
      return SignInAttempts(failures: Int(rows.integer(0, 1)), lastAt: rows.time(0, 2))
    }
  }

  public func deviceUser(_ session: SessionID) async throws(UserError) -> UserID? {
    let rows = try await read(Command(ReadStatements.device, .bytes(session.bytes)))
    return rows.count == 0 ? nil : rows.id(0, 0)
  }

  public func noteFailure(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) async throws(UserError) {
    try await writer.write(WriteOperation<Void>.noteFailure(of: account, from: source, now: now))
  }

  public func forgetFailures(
    of account: SignInAccount, from source: SignInSource
  ) async throws(UserError) {
    try await writer.write(WriteOperation<Void>.forgetFailures(of: account, from: source))
  }

  @discardableResult
  public func unlock(_ user: UserID) async throws(UserError) -> Int {
    try await writer.write(.unlock(user))
  }
}
