import UserDomain

/// The statements that count wrong passwords and keep known devices.
enum AttemptStatements {
  static let addFailure = Statement(
    "add_network_failure",
    """
    INSERT INTO sign_in_attempts AS stored (account, network, failures, last_at) VALUES ($1, $2, 1, $3)
    ON CONFLICT (account, network) DO UPDATE SET
      failures = CASE WHEN stored.last_at < $4 THEN 1 ELSE stored.failures + 1 END, last_at = excluded.last_at
    """)
  static let addAccountFailure = Statement(
    "add_account_failure",
    """
    INSERT INTO sign_in_accounts AS stored (account, failures, last_at) VALUES ($1, 1, $2)
    ON CONFLICT (account) DO UPDATE SET
      failures = CASE WHEN stored.failures < \(SignInAttempts.accountLimit) AND stored.last_at < $3 THEN 1
        ELSE stored.failures + 1 END,
      last_at = excluded.last_at
    """)
  static let addDeviceFailure = Statement(
    "add_device_failure",
    "UPDATE known_devices SET failures = failures + 1, last_at = $2 WHERE session_id = $1")
  static let deleteFailedDevice = Statement(
    "delete_failed_device",
    "DELETE FROM known_devices WHERE session_id = $1 AND failures >= \(SignInAttempts.deviceLimit)")

  static let forgetNetwork = Statement(
    "forget_network", "DELETE FROM sign_in_attempts WHERE account = $1 AND network = $2")
  static let forgetNetworks = Statement("forget_networks", "DELETE FROM sign_in_attempts WHERE account = $1")
  /// Returns the failures that were forgotten.
  static let forgetAccount = Statement(
    "forget_account", "DELETE FROM sign_in_accounts WHERE account = $1 RETURNING failures, last_at")
  static let resetDevice = Statement(
    "reset_device", "UPDATE known_devices SET failures = 0 WHERE session_id = $1")
  static let resetDevices = Statement(
    "reset_devices", "UPDATE known_devices SET failures = 0 WHERE user_id = $1")

  static let insertDevice = Statement(
    "insert_device",
    "INSERT INTO known_devices (session_id, user_id, failures, last_at) VALUES ($1, $2, 0, $3)")
  static let deleteDevice = Statement("delete_device", "DELETE FROM known_devices WHERE session_id = $1")
  static let mendDevices = Statement(
    "mend_devices", "UPDATE known_devices SET last_at = $3 WHERE user_id = $1 AND last_at > $2")
  static let deleteDevicesInExcess = Statement(
    "delete_devices_in_excess",
    """
    DELETE FROM known_devices WHERE session_id IN (
      SELECT session_id FROM known_devices WHERE user_id = $1 AND session_id <> $2
      ORDER BY last_at DESC OFFSET \(SignInAttempts.devicesPerUser - 1))
    """)

  static let all =
    [
      addFailure, addAccountFailure, addDeviceFailure, deleteFailedDevice, forgetNetwork, forgetNetworks,
      forgetAccount, resetDevice, resetDevices, insertDevice, deleteDevice, mendDevices,
      deleteDevicesInExcess,
    ] + AttemptTable.all.flatMap { [$0.purge, $0.mend, $0.drop] }
}

/// Keeps a table of failures small and its times correct: expired rows are deleted, times of a clock that was ahead are set
/// to the present, so that those rows expire too, and beyond ``capacity`` the oldest rows are deleted.
struct AttemptTable: Sendable {
  /// The maximum number of rows of a table, as for every engine.
  static let capacity = 250_000

  let retention: Duration
  let purge: Statement
  let mend: Statement
  let drop: Statement

  /// - Parameters:
  ///   - condition: that of the rows that expire.
  ///   - number: tells the conditions of a table apart.
  private init(_ table: String, _ number: Int = 0, condition: String = "true", retention: Duration) {
    self.retention = retention
    purge = Statement(
      "purge_\(table)_\(number)",
      """
      DELETE FROM \(table) WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM \(table) WHERE \(condition) AND last_at < $1 LIMIT 10000))
      """)
    mend = Statement(
      "mend_\(table)_\(number)", "UPDATE \(table) SET last_at = $1 WHERE \(condition) AND last_at > $2")
    drop = Statement(
      "drop_\(table)_\(number)",
      """
      DELETE FROM \(table) WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM \(table) WHERE \(condition) ORDER BY last_at
        LIMIT greatest(0, (SELECT count(*) FROM \(table)) - $1)))
      """)
  }

  static let all = [
    AttemptTable("sign_in_attempts", retention: SignInAttempts.networkRetention),
    AttemptTable(
      "sign_in_accounts", condition: "failures < \(SignInAttempts.accountLimit)",
      retention: SignInAttempts.accountRetention),
    // Kept like known devices: longer than it pays to wait to learn whether an address has a user.
    AttemptTable(
      "sign_in_accounts", 1, condition: "failures >= \(SignInAttempts.accountLimit) AND length(account) = 32",
      retention: SignInAttempts.deviceRetention),
    AttemptTable("known_devices", retention: SignInAttempts.deviceRetention),
  ]

  /// The commands that do so at `now`.
  func tidy(at now: Timestamp) -> [Command] {
    [
      Command(purge, .time(now - retention)),
      Command(mend, .time(now - SignInAttempts.longestWait), .time(now + retention)),
      Command(drop, .integer(Int64(Self.capacity))),
    ]
  }
}
