import Foundation
import GRDB
public import UserDomain

/// A token that was revoked singly.
public struct RevokedToken: Hashable, Sendable {
  /// How long a revocation is kept after its token has expired, so that a clock that is ahead for a while makes no token
  /// good again: a day.
  public static let margin: Duration = .seconds(86_400)

  /// Its identity.
  public let id: TokenID
  /// Whose it was; nil if only the id was given.
  public let subject: String?
  /// When it expires; nil if only the id was given.
  public let expiresAt: Timestamp?
  /// When it was revoked first.
  public let revokedAt: Timestamp

  /// A revoked token.
  public init(id: TokenID, subject: String?, expiresAt: Timestamp?, revokedAt: Timestamp) {
    self.id = id
    self.subject = subject
    self.expiresAt = expiresAt
    self.revokedAt = revokedAt
  }
}

/// The tokens that an operator revokes one by one, in a database that a service may be serving: what the commands use.
///
/// Every call opens the file, does its work and closes it. It leaves the write-ahead log to the service.
public struct SQLiteTokenRevocations: Sendable {
  private let path: String

  /// The revocations in the database at `path`.
  public init(path: String) {
    self.path = path
  }

  /// Revokes `token`, which a running service learns within a second. A revocation whose token has expired is forgotten.
  ///
  /// - Parameter longest: for how long the token may be good at most, where it does not say.
  /// - Returns: whether it was not revoked before.
  /// - Throws: `StoreError`, also if the database is not migrated to the end.
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

  /// The tokens that are kept as revoked, in the order in which they were revoked.
  ///
  /// - Throws: `StoreError`, also if the database is not migrated to the end.
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

  /// The epoch that the tokens of `user` need to have, or nil if there is no such user, or the user is not active.
  ///
  /// - Throws: `StoreError`, also if the database is not migrated to the end.
  public func epoch(of user: UserID) throws(StoreError) -> Int64? {
    try withDatabase(.inspect) { database in
      try Int64.fetchOne(
        database,
        sql: """
          SELECT coalesce(epoch, 0) FROM users LEFT JOIN token_epochs ON user_id = id WHERE id = ? AND status = ?
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
      // The failure that is being reported matters more than one of closing.
      try? connection.close()
      throw StoreError(error, at: location)
    }
  }
}

extension TokenID {
  fileprivate var data: Data { Data(bytes) }
}

extension SQLiteConnection {
  /// The tokens that were revoked singly and are not forgotten yet.
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
