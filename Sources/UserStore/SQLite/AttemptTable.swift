import GRDB
import UserDomain

/// Keeps a table of failures small and its times right: to be run inside the transaction that adds a row.
///
/// Rows out of date are cleared away a few at a time, more than come, so that they do not pile up and no transaction is
/// long. Times in the future, which a clock that was ahead has noted, are set to the present, so that those rows are
/// cleared away too. Beyond ``capacity`` the oldest rows go.
final class AttemptTable {
  /// What a table is called, and what of it may be forgotten.
  struct Definition {
    let name: String
    /// The primary key's columns, with commas.
    let key: String
    /// Conditions of rows that may be forgotten, each with an index over `last_at`, and after how long.
    let kinds: [(condition: String, memory: Duration)]
  }

  static let attempts = Definition(
    name: "sign_in_attempts", key: "account, network", kinds: [("true", SignInAttempts.memory)])
  static let accounts = Definition(
    name: "sign_in_accounts", key: "account",
    kinds: [
      ("failures < \(SignInAttempts.accountLimit)", SignInAttempts.accountMemory),
      // As long as a device is known: longer than anyone waits to learn whether an address has a user.
      (
        "failures >= \(SignInAttempts.accountLimit) AND length(account) = 32", SignInAttempts.deviceMemory
      ),
    ])
  static let devices = Definition(
    name: "known_devices", key: "session_id", kinds: [("true", SignInAttempts.deviceMemory)])

  /// Rows of a table, at most: about 40 MB with its index.
  static let capacity = 250_000
  private static let purgedRows = 8
  private static let droppedRows = 64

  private let capacity: Int
  private let kinds:
    [(purge: PreparedStatement, mend: PreparedStatement, drop: PreparedStatement, memory: Duration)]
  private let count: PreparedStatement
  /// Rows, or a few more: some that were counted may have been rolled back, or replaced. nil until they are counted.
  private var rows: Int?

  init(
    _ connection: SQLiteConnection, _ table: Definition, capacity: Int = capacity
  ) throws(DatabaseError) {
    self.capacity = capacity
    var kinds: [(PreparedStatement, PreparedStatement, PreparedStatement, Duration)] = []
    for (condition, memory) in table.kinds {
      kinds.append(
        (
          try connection.prepare(Self.purgeSQL(table, condition)),
          try connection.prepare(Self.mendSQL(table, condition)),
          try connection.prepare(Self.dropSQL(table, condition)), memory
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

  /// Clears away what is out of date, as of `now`.
  func purge(at now: Timestamp) throws(DatabaseError) {
    for (purge, mend, _, memory) in kinds {
      try purge.bind((now - memory).microsecondsSinceEpoch, at: 1)
      try purge.run()
      // To a time that nothing has to wait for. Not for every clock that was set back by a little: that is mended where it matters.
      try mend.bind((now - SignInAttempts.longestWait).microsecondsSinceEpoch, at: 1)
      try mend.bind((now + memory).microsecondsSinceEpoch, at: 2)
      try mend.run()
    }
  }

  /// Takes note of a new row, and makes room if there are too many.
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
