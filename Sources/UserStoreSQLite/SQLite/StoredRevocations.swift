import GRDB
import UserDomain

/// The revocations in the database. The `RevocationList` loads them when a repository is opened, and again when another
/// process has changed them.
enum StoredRevocations {
  /// A fingerprint of the stored revocations. Any added, changed or deleted revocation changes it, and it is cheaper
  /// than loading them.
  struct Mark: Equatable, Sendable {
    fileprivate let values: [Int64]
  }

  /// The state of a repository's copy of the stored revocations.
  struct Knowledge: Sendable {
    /// The fingerprint of the revocations loaded last.
    var mark: Mark
    /// Whether another process has committed since, perhaps a revocation.
    var mayBeStale = false
  }

  /// The status of users that are not deleted; 0 for the others.
  private static let standing = "iif(deleted_at IS NULL, status, 0)"
  static let epochsSQL =
    "SELECT user_id, epoch, began_at, \(standing) FROM token_epochs JOIN users ON id = user_id"
  static let erasedSQL = "SELECT user_id, epoch, began_at, 0 FROM erased_users"
  static let sessionsSQL = "SELECT id, kept_until FROM sessions WHERE ended_at IS NOT NULL"
  /// A prime. Times are reduced modulo it so that no sum overflows.
  private static let modulus = 1_000_000_007
  static let markSQL = """
    SELECT count(*), coalesce(sum(epoch), 0), coalesce(sum(began_at % \(modulus)), 0), coalesce(sum(\(standing)), 0)
    FROM token_epochs JOIN users ON id = user_id
    UNION ALL
    SELECT count(*), coalesce(sum(ended_at % \(modulus)), 0), coalesce(sum(kept_until % \(modulus)), 0), 0
    FROM sessions WHERE ended_at IS NOT NULL
    UNION ALL
    SELECT count(*), coalesce(sum(epoch), 0), coalesce(sum(began_at % \(modulus)), 0), 0 FROM erased_users
    UNION ALL
    SELECT count(*), coalesce(sum(revoked_at % \(modulus)), 0), coalesce(sum(kept_until % \(modulus)), 0), 0
    FROM revoked_tokens
    """

  /// Replaces `list` by the revocations that `connection` finds stored, and returns their mark.
  ///
  /// The caller holds the writer's connection, so that this process commits no revocation meanwhile that the list would
  /// lose.
  static func load(
    _ list: RevocationList, from connection: UserConnection
  ) throws(DatabaseError) -> Mark {
    _ = try connection.noteOtherCommits()
    try connection.reads.begin.run()
    defer { connection.endTransaction() }
    list.replace(with: try events(connection.connection))
    return try mark(connection.connection)
  }

  /// Returns the mark of the currently stored revocations.
  static func mark(_ connection: SQLiteConnection) throws(DatabaseError) -> Mark {
    let statement = try connection.prepare(markSQL)
    defer { statement.reset() }
    var values: [Int64] = []
    while try statement.step() { values += (0..<4).map { statement.integer(at: $0) } }
    return Mark(values: values)
  }

  /// Returns all stored revocations.
  private static func events(_ connection: SQLiteConnection) throws(DatabaseError) -> [RevocationList.Event] {
    var events: [RevocationList.Event] = []
    for sql in [epochsSQL, erasedSQL] {
      let epochs = try connection.prepare(sql)
      defer { epochs.reset() }
      while try epochs.step() {
        events.append(
          .epochBegan(
            try epochs.id(at: 0),
            RevocationList.Epoch(
              number: epochs.integer(at: 1),
              beganAt: Timestamp(microsecondsSinceEpoch: epochs.integer(at: 2)),
              isUserActive: epochs.integer(at: 3) == UserStatus.active.rawValue)))
      }
    }
    let sessions = try connection.prepare(sessionsSQL)
    defer { sessions.reset() }
    while try sessions.step() {
      if let id = SessionID(bytes: sessions.blob(at: 0)) {
        events.append(.sessionEnded(id, until: Timestamp(microsecondsSinceEpoch: sessions.integer(at: 1))))
      }
    }
    return try events + connection.storedTokenRevocations()
  }
}
