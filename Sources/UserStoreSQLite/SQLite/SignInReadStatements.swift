import GRDB
import UserDomain

/// The statements that read the failures at an account, and the known devices.
final class SignInReadStatements {
  private let attempts: PreparedStatement
  private let account: PreparedStatement
  private let device: PreparedStatement

  init(_ connection: SQLiteConnection) throws(DatabaseError) {
    attempts = try connection.prepare(
      "SELECT failures, last_at FROM sign_in_attempts WHERE account = ?1 AND network = ?2")
    account = try connection.prepare("SELECT failures, last_at FROM sign_in_accounts WHERE account = ?1")
    device = try connection.prepare(
      "SELECT user_id, failures, last_at FROM known_devices WHERE session_id = ?1")
  }

  func history(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) throws(DatabaseError) -> SignInHistory {
    SignInHistory(
      source: try attempts(of: account, from: source, now: now),
      accountFailures: try accountFailures(account, now: now))
  }

  private func attempts(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) throws(DatabaseError) -> SignInAttempts {
    switch source {
    case .network(let network):
      try attempts.bind(account.key, at: 1)
      try attempts.bind(network.key, at: 2)
      defer { attempts.reset() }
      guard try attempts.step() else { return SignInAttempts(failures: 0, lastAt: now) }
      let lastAt = Timestamp(microsecondsSinceEpoch: attempts.integer(at: 1))
      let isForgotten = lastAt + SignInAttempts.networkRetention < now
      return SignInAttempts(failures: isForgotten ? 0 : Int(attempts.integer(at: 0)), lastAt: lastAt)
    case .device(let session):
      try device.bind(session.bytes, at: 1)
      defer { device.reset() }
      guard try device.step(), account == .user(try device.id(at: 0)) else {
        // The device has failed too often since it was looked up, and is no longer known.
        return SignInAttempts(failures: SignInAttempts.deviceLimit, lastAt: now)
      }
      return SignInAttempts(
        failures: Int(device.integer(at: 1)),
        lastAt: Timestamp(microsecondsSinceEpoch: device.integer(at: 2)))
    }
  }

  func accountFailures(_ named: SignInAccount, now: Timestamp) throws(DatabaseError) -> Int {
    try account.bind(named.key, at: 1)
    defer { account.reset() }
    guard try account.step() else { return 0 }
    let failures = Int(account.integer(at: 0))
    let lastAt = Timestamp(microsecondsSinceEpoch: account.integer(at: 1))
    let isForgotten =
      failures < SignInAttempts.accountLimit && lastAt + SignInAttempts.accountRetention < now
    return isForgotten ? 0 : failures
  }

  func deviceUser(_ session: SessionID) throws(DatabaseError) -> UserID? {
    try device.bind(session.bytes, at: 1)
    defer { device.reset() }
    return try device.step() ? try device.id(at: 0) : nil
  }
}
