import GRDB
import UserDomain

/// Keeps a table of failures small and its times correct. Used inside the transaction that adds a row.
///
/// Each transaction deletes a few expired rows, more than it adds, so that they do not pile up and no transaction is
/// long. Times in the future, stored by a clock that was ahead, are set to the present, so that those rows expire too.
/// Beyond ``capacity`` the oldest rows are deleted.
final class AttemptTable {
  /// The name of a table, and the retention of its rows.
  struct Definition {
    let name: String
    /// The primary key's columns, separated by commas.
    let key: String
    /// The conditions of rows that expire, each with an index over `last_at`, and their retention.
    let kinds: [(condition: String, retention: Duration)]
  }

  static let attempts = Definition(
    name: "sign_in_attempts", key: "account, network", kinds: [("true", SignInAttempts.networkRetention)])
  static let accounts = Definition(
    name: "sign_in_accounts", key: "account",
    kinds: [
      ("failures < \(SignInAttempts.accountLimit)", SignInAttempts.accountRetention),
      // Kept like known devices: longer than anyone waits to learn whether an address has a user.
      (
        "failures >= \(SignInAttempts.accountLimit) AND length(account) = 32", SignInAttempts.deviceRetention
      ),
    ])
  static let devices = Definition(
    name: "known_devices", key: "session_id", kinds: [("true", SignInAttempts.deviceRetention)])

  /// The maximum number of rows of a table, about 40 MB with its index.
  static let capacity = 250_000
  private static let purgedRows = 8
  private static let droppedRows = 64

  private let capacity: Int
  private let kinds:
    [(purge: PreparedStatement, mend: PreparedStatement, drop: PreparedStatement, retention: Duration)]
  private let count: PreparedStatement
  /// The number of rows, or slightly more: counted rows may have been rolled back or replaced. nil until counted.
  private var rows: Int?

  init(
    _ connection: SQLiteConnection, _ table: Definition, capacity: Int = capacity
  ) throws(DatabaseError) {
    self.capacity = capacity
    var kinds: [(PreparedStatement, PreparedStatement, PreparedStatement, Duration)] = []
    for (condition, retention) in table.kinds {
      kinds.append(
        (
          try connection.prepare(Self.purgeSQL(table, condition)),
          try connection.prepare(Self.mendSQL(table, condition)),
          try connection.prepare(Self.dropSQL(table, condition)), retention
        ))
    }
    self.kinds = kinds
    count = try connection.prepare("SELECT count(*) FROM \(table.name)")
  }

  static func purgeSQL(_ table: Definition, _ condition: String) -> String {
    """
    DELETE FROM \(table.name) WHERE (\(table.key)) IN (
      SELECT \(table.key) FROM \(table.name) WHERE \(condition) AND last_at < ?1 LIMIT \(purgedRows))
    """
  }

  static func mendSQL(_ table: Definition, _ condition: String) -> String {
    """
    UPDATE \(table.name) SET last_at = ?1 WHERE (\(table.key)) IN (
      SELECT \(table.key) FROM \(table.name) WHERE \(condition) AND last_at > ?2 LIMIT \(purgedRows))
    """
  }

  static func dropSQL(_ table: Definition, _ condition: String) -> String {
    """
    DELETE FROM \(table.name) WHERE (\(table.key)) IN (
      SELECT \(table.key) FROM \(table.name) WHERE \(condition) ORDER BY last_at LIMIT \(droppedRows))
    """
  }

  /// Deletes expired rows, as of `now`.
  func purge(at now: Timestamp) throws(DatabaseError) {
    for (purge, mend, _, retention) in kinds {
      try purge.bind((now - retention).microsecondsSinceEpoch, at: 1)
      try purge.run()
      // Sets a time that nothing waits for. Smaller clock steps are corrected where a time is read.
      try mend.bind((now - SignInAttempts.longestWait).microsecondsSinceEpoch, at: 1)
      try mend.bind((now + retention).microsecondsSinceEpoch, at: 2)
      try mend.run()
    }
  }

  /// Records a new row, and makes room if there are too many.
  func rowWasAdded() throws(DatabaseError) {
    if let rows, rows < capacity {
      self.rows = rows + 1
      return
    }
    let counted = try countRows()
    rows = counted
    guard counted > capacity else { return }
    for (_, _, drop, _) in kinds { try drop.run() }
    rows = nil
  }

  private func countRows() throws(DatabaseError) -> Int {
    defer { count.reset() }
    return try count.step() ? Int(count.integer(at: 0)) : 0
  }
}
