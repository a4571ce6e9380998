import GRDB
import UserDomain

/// The statements that count wrong passwords and keep known devices, used inside a transaction.
final class SignInAttemptStatements {
  static let devicesInExcessSQL = """
    DELETE FROM known_devices WHERE session_id IN (
      SELECT session_id FROM known_devices WHERE user_id = ?1 AND session_id <> ?2
      ORDER BY last_at DESC LIMIT -1 OFFSET \(SignInAttempts.devicesPerUser - 1))
    """

  private let reads: SignInReadStatements
  private let attempts: AttemptTable
  private let accounts: AttemptTable
  private let devices: AttemptTable
  private let addAttempt: PreparedStatement
  private let deleteAttempt: PreparedStatement
  private let deleteAttempts: PreparedStatement
  private let addAccountFailure: PreparedStatement
  private let deleteAccount: PreparedStatement
  private let addDeviceFailure: PreparedStatement
  private let deleteFailedDevice: PreparedStatement
  private let resetDevice: PreparedStatement
  private let resetDevices: PreparedStatement
  private let insertDevice: PreparedStatement
  private let deleteDevice: PreparedStatement
  private let mendDevices: PreparedStatement
  private let deleteDevicesInExcess: PreparedStatement

  init(_ connection: SQLiteConnection) throws(DatabaseError) {
    reads = try SignInReadStatements(connection)
    attempts = try AttemptTable(connection, AttemptTable.attempts)
    accounts = try AttemptTable(connection, AttemptTable.accounts)
    devices = try AttemptTable(connection, AttemptTable.devices)
    addAttempt = try connection.prepare(
      """
      INSERT INTO sign_in_attempts (account, network, failures, last_at) VALUES (?1, ?2, 1, ?3)
      ON CONFLICT (account, network) DO UPDATE SET
        failures = iif(last_at < ?4, 1, failures + 1), last_at = excluded.last_at
      RETURNING failures
      """)
    deleteAttempt = try connection.prepare(
      "DELETE FROM sign_in_attempts WHERE account = ?1 AND network = ?2")
    deleteAttempts = try connection.prepare("DELETE FROM sign_in_attempts WHERE account = ?1")
    addAccountFailure = try connection.prepare(
      """
      INSERT INTO sign_in_accounts (account, failures, last_at) VALUES (?1, 1, ?2)
      ON CONFLICT (account) DO UPDATE SET
        failures = iif(failures < \(SignInAttempts.accountLimit) AND last_at < ?3, 1, failures + 1),
        last_at = excluded.last_at
      RETURNING failures
      """)
    deleteAccount = try connection.prepare("DELETE FROM sign_in_accounts WHERE account = ?1")
    addDeviceFailure = try connection.prepare(
      "UPDATE known_devices SET failures = failures + 1, last_at = ?2 WHERE session_id = ?1")
    deleteFailedDevice = try connection.prepare(
      """
      DELETE FROM known_devices WHERE session_id = ?1 AND failures >= \(SignInAttempts.deviceLimit)
      """)
    resetDevice = try connection.prepare("UPDATE known_devices SET failures = 0 WHERE session_id = ?1")
    resetDevices = try connection.prepare("UPDATE known_devices SET failures = 0 WHERE user_id = ?1")
    insertDevice = try connection.prepare(
      "INSERT INTO known_devices (session_id, user_id, failures, last_at) VALUES (?1, ?2, 0, ?3)")
    deleteDevice = try connection.prepare("DELETE FROM known_devices WHERE session_id = ?1")
    mendDevices = try connection.prepare(
      "UPDATE known_devices SET last_at = ?3 WHERE user_id = ?1 AND last_at > ?2")
    deleteDevicesInExcess = try connection.prepare(Self.devicesInExcessSQL)
  }

  /// Counts a failure whose check finished at `now`.
  func noteFailure(
    of account: SignInAccount, from source: SignInSource, now: Timestamp
  ) throws(DatabaseError) {
    switch source {
    case .network(let network):
      try addAttempt.bind(account.key, at: 1)
      try addAttempt.bind(network.key, at: 2)
      try addAttempt.bind(now.microsecondsSinceEpoch, at: 3)
      try addAttempt.bind((now - SignInAttempts.networkRetention).microsecondsSinceEpoch, at: 4)
      try attempts.purge(at: now)
      if try Self.count(addAttempt) == 1 { try attempts.rowWasAdded() }
      try addAccountFailure.bind(account.key, at: 1)
      try addAccountFailure.bind(now.microsecondsSinceEpoch, at: 2)
      try addAccountFailure.bind((now - SignInAttempts.accountRetention).microsecondsSinceEpoch, at: 3)
      try accounts.purge(at: now)
      if try Self.count(addAccountFailure) == 1 { try accounts.rowWasAdded() }
    case .device(let session):
      try addDeviceFailure.bind(session.bytes, at: 1)
      try addDeviceFailure.bind(now.microsecondsSinceEpoch, at: 2)
      try addDeviceFailure.run()
      try deleteFailedDevice.bind(session.bytes, at: 1)
      try deleteFailedDevice.run()
    }
  }

  /// Returns the one number that a statement returns.
  private static func count(_ statement: PreparedStatement) throws(DatabaseError) -> Int {
    defer { statement.reset() }
    guard try statement.step() else { return 0 }
    let count = Int(statement.integer(at: 0))
    // RETURNING gives its rows after the changes are made (sqlite.org/lang_returning.html); this step ends the
    // statement.
    _ = try statement.step()
    return count
  }

  /// Resets the failure counts of `source` at an account, and of the account from all networks.
  func forgetFailures(of account: SignInAccount, from source: SignInSource) throws(DatabaseError) {
    switch source {
    case .network(let network):
      try deleteAttempt.bind(account.key, at: 1)
      try deleteAttempt.bind(network.key, at: 2)
      try deleteAttempt.run()
    case .device(let session):
      try resetDevice.bind(session.bytes, at: 1)
      try resetDevice.run()
    }
    try forgetAccount(account)
  }

  private func forgetAccount(_ account: SignInAccount) throws(DatabaseError) {
    try deleteAccount.bind(account.key, at: 1)
    try deleteAccount.run()
  }

  /// Resets every failure count at a user's account. Returns the number of consecutive failures from all networks.
  func unlock(_ user: UserID, now: Timestamp) throws(DatabaseError) -> Int {
    let account = SignInAccount.user(user)
    let failures = try reads.accountFailures(account, now: now)
    try forgetAccount(account)
    try deleteAttempts.bind(account.key, at: 1)
    try deleteAttempts.run()
    try resetDevices.bind(user, at: 1)
    try resetDevices.run()
    return failures
  }

  /// Identifies the device by the session that it began, in place of its earlier one, and resets its failure count.
  func signedIn(_ session: Session, from source: SignInSource) throws(DatabaseError) {
    let (user, now) = (session.userID, session.rotatedAt)
    try forgetFailures(of: .user(user), from: source)
    if case .device(let before) = source {
      try deleteDevice.bind(before.bytes, at: 1)
      try deleteDevice.run()
    }
    try insertDevice.bind(session.id.bytes, at: 1)
    try insertDevice.bind(user, at: 2)
    try insertDevice.bind(now.microsecondsSinceEpoch, at: 3)
    try insertDevice.run()
    // Devices stored by a clock that was ahead would otherwise never be the oldest.
    try mendDevices.bind(user, at: 1)
    try mendDevices.bind(now.microsecondsSinceEpoch, at: 2)
    // A time that nothing waits for.
    try mendDevices.bind((now - SignInAttempts.longestWait).microsecondsSinceEpoch, at: 3)
    try mendDevices.run()
    try deleteDevicesInExcess.bind(user, at: 1)
    try deleteDevicesInExcess.bind(session.id.bytes, at: 2)
    try deleteDevicesInExcess.run()
    try devices.purge(at: now)
  }
}
