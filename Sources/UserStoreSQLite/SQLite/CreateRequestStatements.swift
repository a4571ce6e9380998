import GRDB
import UserDomain
import UserStore

/// The statements of requests with an id, used inside the transaction that stores the user.
final class CreateRequestStatements {
  static let rememberedSQL = """
    SELECT create_requests.user_id, content_hash, made_at, phc_hash, created_at FROM create_requests
    JOIN users ON users.id = create_requests.user_id
    LEFT JOIN password_credentials ON password_credentials.user_id = create_requests.user_id
    WHERE create_requests.id = ?1
    """
  static let forgetSQL = "DELETE FROM create_requests WHERE user_id = ?1"

  private let remembered: PreparedStatement
  private let put: PreparedStatement
  private let purge: Purge
  private let purgeFuture: Purge
  private let forget: PreparedStatement

  init(_ connection: SQLiteConnection) throws(DatabaseError) {
    remembered = try connection.prepare(Self.rememberedSQL)
    put = try connection.prepare(
      """
      INSERT INTO create_requests (id, user_id, content_hash, made_at) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT (id) DO UPDATE SET
        user_id = excluded.user_id, content_hash = excluded.content_hash, made_at = excluded.made_at
      """)
    purge = try Purge(connection, Purge.expired)
    purgeFuture = try Purge(connection, Purge.ahead)
    forget = try connection.prepare(Self.forgetSQL)
  }

  /// Returns the earlier outcome of a request made at `now`, or nil if the request id is new or expired.
  func outcome(
    of id: RequestID, _ new: NewUser, at now: Timestamp
  ) throws(DatabaseError) -> Result<Creation, UserError>? {
    try remembered.bind(id.bytes, at: 1)
    defer { remembered.reset() }
    guard try remembered.step() else { return nil }
    let request = RememberedRequest(
      userID: try remembered.id(at: 0), contentHash: remembered.blob(at: 1),
      madeAt: Timestamp(microsecondsSinceEpoch: remembered.integer(at: 2)),
      createdAt: Timestamp(microsecondsSinceEpoch: remembered.integer(at: 4)),
      passwordHash: remembered.isNull(at: 3) ? nil : PasswordHash(phcString: remembered.text(at: 3)))
    return request.outcome(of: new, at: now)
  }

  /// Deletes expired requests.
  func purge(at now: Timestamp) throws(DatabaseError) {
    try purge.run(now - CreateRequest.retention)
  }

  /// Records a request that stored `user` at `now`.
  func remember(_ id: RequestID, _ new: NewUser, as user: User, at now: Timestamp) throws(DatabaseError) {
    try purgeFuture.run(now + CreateRequest.retention)
    try put.bind(id.bytes, at: 1)
    try put.bind(user.id, at: 2)
    try put.bind(RememberedRequest.contentHash(of: new), at: 3)
    try put.bind(now.microsecondsSinceEpoch, at: 4)
    try put.run()
  }

  /// Deletes the requests of a user whose password changes: retries can no longer be compared with it.
  func forget(of user: UserID) throws(DatabaseError) {
    try forget.bind(user, at: 1)
    try forget.run()
  }

  /// Deletes the requests that meet a condition: a few per transaction, so that none is long.
  struct Purge {
    static let expired = "made_at < ?1"
    /// Requests stored by a clock that was ahead.
    static let ahead = "made_at > ?1"

    private let search: PreparedStatement
    private let delete: PreparedStatement

    /// - Parameter condition: compares `made_at` with `?1`.
    init(_ connection: SQLiteConnection, _ condition: String) throws(DatabaseError) {
      search = try connection.prepare(Self.searchSQL(condition))
      delete = try connection.prepare(Self.deleteSQL(condition))
    }

    static func searchSQL(_ condition: String) -> String {
      "SELECT 1 FROM create_requests WHERE \(condition) LIMIT 1"
    }

    static func deleteSQL(_ condition: String) -> String {
      """
      DELETE FROM create_requests
      WHERE id IN (SELECT id FROM create_requests WHERE \(condition) LIMIT 64)
      """
    }

    func run(_ time: Timestamp) throws(DatabaseError) {
      // Mostly there is nothing to delete, and DELETE takes several times as long as an insert to find that out: it
      // makes a table of the ids.
      guard try isNeeded(time) else { return }
      try delete.bind(time.microsecondsSinceEpoch, at: 1)
      try delete.run()
    }

    private func isNeeded(_ time: Timestamp) throws(DatabaseError) -> Bool {
      try search.bind(time.microsecondsSinceEpoch, at: 1)
      defer { search.reset() }
      return try search.step()
    }
  }
}
