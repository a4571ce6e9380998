import UserDomain
import UserStore

extension WriteOperation<Void> {
  /// Counts a failure whose check finished at `now`.
  static func noteFailure(of account: SignInAccount, from source: SignInSource, now: Timestamp)
    -> WriteOperation
  {
    let commands =
      switch source {
      case .network(let network):
        [
          Command(
            AttemptStatements.addFailure, .bytes(account.key), .bytes(network.key), .time(now),
            .time(now - SignInAttempts.networkRetention)),
          Command(
            AttemptStatements.addAccountFailure, .bytes(account.key), .time(now),
            .time(now - SignInAttempts.accountRetention)),
        ]
      case .device(let session):
        [
          Command(AttemptStatements.addDeviceFailure, .bytes(session.bytes), .time(now)),
          Command(AttemptStatements.deleteFailedDevice, .bytes(session.bytes)),
        ]
      }
    return WriteOperation(decide: { _, _ in .done((), commands) })
  }

  /// Resets the failure counts of `source`, and of the account from all networks.
  static func forgetFailures(of account: SignInAccount, from source: SignInSource) -> WriteOperation {
    WriteOperation(decide: { _, _ in .done((), account.forget(source)) })
  }

  /// Keeps the tables of failures, and of the tokens of erased users, small. Done from time to time.
  static var tidy: WriteOperation {
    WriteOperation(decide: { _, context in
      let now = context.clock()
      return .done(
        (),
        AttemptTable.all.flatMap { $0.tidy(at: now) } + [
          Command(TokenStatements.forgetRetired, .time(now))
        ])
    })
  }
}

extension WriteOperation<Int> {
  /// Deletes up to `limit` notes of revocations that are of no use any more, and returns their number.
  static func forgetNotes(limit: Int) -> WriteOperation {
    WriteOperation(decide: { _, _ in
      PlannedWrite([Command(TokenStatements.forgetNotes, .integer(Int64(limit)))]) { committed in
        let gone = committed.result(0)
        return .success(gone.count == 0 ? 0 : Int(gone.integer(0, 0)))
      }
    })
  }

  /// Resets every failure count at a user's account, and returns the consecutive failures from all networks.
  static func unlock(_ user: UserID) -> WriteOperation {
    WriteOperation(decide: { _, context in
      let now = context.clock()
      return PlannedWrite(SignInAccount.unlock(user)) { committed in
        .success(committed.result(0).accountFailures(at: now))
      }
    })
  }
}

extension WriteOperation<[UInt8]> {
  /// Returns the secret with this name, after storing `offered` if it is missing.
  static func secret(_ name: String, offered: [UInt8]) -> WriteOperation {
    WriteOperation(decide: { _, _ in
      PlannedWrite([
        Command(SecretStatements.offer, .text(name), .bytes(offered)),
        Command(SecretStatements.read, .text(name)),
      ]) { committed in
        let found = committed.result(1)
        return .success(found.count == 0 ? offered : found.blob(0, 0))
      }
    })
  }
}

extension SignInAccount {
  /// Resets the failure counts of `source` at the account, and of the account from all networks.
  func forget(_ source: SignInSource) -> [Command] {
    let forgetSource =
      switch source {
      case .network(let network):
        Command(AttemptStatements.forgetNetwork, .bytes(key), .bytes(network.key))
      case .device(let session): Command(AttemptStatements.resetDevice, .bytes(session.bytes))
      }
    return [forgetSource, Command(AttemptStatements.forgetAccount, .bytes(key))]
  }

  /// Resets every failure count at a user's account. The first result has the failures from all networks.
  static func unlock(_ user: UserID) -> [Command] {
    let key = SQLValue.bytes(SignInAccount.user(user).key)
    return [
      Command(AttemptStatements.forgetAccount, key), Command(AttemptStatements.forgetNetworks, key),
      Command(AttemptStatements.resetDevices, .id(user)),
    ]
  }
}

extension QueryResult {
  /// The failures of an account in a row of failures and their last time, unless they are forgotten at `now`.
  func accountFailures(at now: Timestamp) -> Int {
    guard count > 0 else { return 0 }
    let failures = Int(integer(0, 0))
    let isForgotten =
      failures < SignInAttempts.accountLimit && time(0, 1) + SignInAttempts.accountRetention < now
    return isForgotten ? 0 : failures
  }
}
