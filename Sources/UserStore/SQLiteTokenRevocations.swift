import Foundation
import GRDB
public import UserDomain

/// A token that was revoked alone.
public struct RevokedToken: Hashable, Sendable {
  /// The retention of a revocation after its token has expired: a day, so that a clock that was ahead makes no token
  /// valid again.
  public static let margin: Duration = .seconds(86_400)

  /// The token's id.
  public let id: TokenID
  /// The token's subject; nil if only the id was given.
  public let subject: String?
  /// The time when the token expires; nil if only the id was given.
  public let expiresAt: Timestamp?
  /// The time of the first revocation.
  public let revokedAt: Timestamp

  /// Creates a revoked token.
  public init(id: TokenID, subject: String?, expiresAt: Timestamp?, revokedAt: Timestamp) {
    self.id = id
    self.subject = subject
    self.expiresAt = expiresAt
    self.revokedAt = revokedAt
  }
}

/// The tokens that an operator revokes one by one, in a database that a service may be serving. The commands use it.
///
/// Every call opens the file, does its work and closes it. It leaves the write-ahead log to the service.
public struct SQLiteTokenRevocations: Sendable {
  private let path: String

  /// Creates the revocations of the database at `path`.
  public init(path: String) {
    self.path = path
  }

  /// Revokes `token`. A running service learns of it within a second. Revocations of long-expired tokens are deleted.
  ///
  /// - Parameter longest: the maximum lifetime of a token whose expiry is unknown.
  /// - Returns: whether the token was not revoked yet.
  /// - Throws: `StoreError`, also if migrations are not applied.
  public func revoke(_ token: RevokedToken, longest: Duration) throws(StoreError) -> Bool {
    let keptUntil = (token.expiresAt ?? token.revokedAt + longest) + RevokedToken.margin
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

  /// Returns the stored revocations, in the order of revocation.
  ///
  /// - Throws: `StoreError`, also if migrations are not applied.
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

  /// Returns the epoch that tokens of `user` must have; nil if the user is inactive, deleted or unknown.
  ///
  /// - Throws: `StoreError`, also if migrations are not applied.
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
