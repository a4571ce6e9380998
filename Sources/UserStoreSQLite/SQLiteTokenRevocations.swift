import Foundation
import GRDB
public import UserDomain
public import UserStore

/// The tokens that an operator revokes one by one, in a database file.
///
/// Every call opens the file, does its work and closes it. It leaves the write-ahead log to the service.
public struct SQLiteTokenRevocations: TokenRevocations {
  private let path: String

  /// Creates the revocations of the database at `path`.
  public init(path: String) {
    self.path = path
  }

  public func revoke(_ token: RevokedToken, longest: Duration) throws(StoreError) -> Bool {
    let keptUntil = token.keptUntil(longest: longest)
    return try withDatabase(.readWrite) { database in
      var isNew = false
      try database.inTransaction(.immediate) {
        isNew =
          try Bool.fetchOne(
            database, sql: "SELECT NOT EXISTS (SELECT 1 FROM revoked_tokens WHERE id = ?)",
            arguments: [token.id.data]) ?? true
        try database.execute(
          sql: """
            INSERT INTO revoked_tokens (id, subject, expires_at, revoked_at, kept_until) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET
              subject = coalesce(excluded.subject, subject), expires_at = coalesce(excluded.expires_at, expires_at),
              kept_until = max(kept_until, excluded.kept_until)
            """,
          arguments: [
            token.id.data, token.subject, token.expiresAt?.microsecondsSinceEpoch,
            token.revokedAt.microsecondsSinceEpoch, keptUntil.microsecondsSinceEpoch,
          ])
        try database.execute(
          sql: "DELETE FROM revoked_tokens WHERE kept_until < ?",
          arguments: [token.revokedAt.microsecondsSinceEpoch])
        return .commit
      }
      return isNew
    }
  }

  public func list() throws(StoreError) -> [RevokedToken] {
    try withDatabase(.inspect) { database in
      try Row.fetchAll(
        database,
        sql: "SELECT id, subject, expires_at, revoked_at FROM revoked_tokens ORDER BY revoked_at, id"
      ).compactMap { row in
        guard let id = TokenID(bytes: row["id"] as Data) else { return nil }
        return RevokedToken(
          id: id, subject: row["subject"],
          expiresAt: (row["expires_at"] as Int64?).map { Timestamp(microsecondsSinceEpoch: $0) },
          revokedAt: Timestamp(microsecondsSinceEpoch: row["revoked_at"]))
      }
    }
  }

  public func epoch(of user: UserID) throws(StoreError) -> Int64? {
    try withDatabase(.inspect) { database in
      try Int64.fetchOne(
        database,
        sql: """
          SELECT coalesce(epoch, 0) FROM users LEFT JOIN token_epochs ON user_id = id
          WHERE id = ? AND status = ? AND deleted_at IS NULL
          """,
        arguments: [user.withUnsafeBytes { Data($0) }, UserStatus.active.rawValue])
    }
  }

  private func withDatabase<Value>(
    _ access: SQLiteConnection.Access, _ body: (Database) throws -> Value
  ) throws(StoreError) -> Value {
    let location = DatabaseLocation.file(path)
    let connection = try SQLiteConnection(location, access)
    do {
      try SchemaMigrator(connection, at: location, migrations: Migration.embedded).requireCurrent()
      let value = try connection.withDatabase(body)
      try connection.close()
      return value
    } catch {
      // The failure being reported matters more than a failure to close.
      try? connection.close()
      throw StoreError(error, at: location)
    }
  }
}

extension TokenID {
  fileprivate var data: Data { Data(bytes) }
}

extension SQLiteConnection {
  /// Returns the stored revocations of single tokens.
  func storedTokenRevocations() throws(DatabaseError) -> [RevocationList.Event] {
    var events: [RevocationList.Event] = []
    let tokens = try prepare("SELECT id, kept_until FROM revoked_tokens")
    defer { tokens.reset() }
    while try tokens.step() {
      if let id = TokenID(bytes: tokens.blob(at: 0)) {
        events.append(.tokenRevoked(id, until: Timestamp(microsecondsSinceEpoch: tokens.integer(at: 1))))
      }
    }
    return events
  }
}
