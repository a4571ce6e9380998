public import UserDomain
public import UserStore

/// The tokens that an operator revokes one by one, in a database that services may be serving.
public struct PostgresTokenRevocations: TokenRevocations {
  private let address: PostgresAddress

  private static let known = Statement(
    "known_token", "SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE id = $1)")
  private static let revoke = Statement(
    "revoke_token",
    """
    INSERT INTO revoked_tokens AS stored (id, subject, expires_at, revoked_at, kept_until) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO UPDATE SET
      subject = coalesce(excluded.subject, stored.subject),
      expires_at = coalesce(excluded.expires_at, stored.expires_at),
      kept_until = greatest(stored.kept_until, excluded.kept_until)
    """)
  private static let note = Statement(
    "note_token",
    """
    INSERT INTO revocation_events (revision, kind, id, at, kept_until)
    VALUES (\(RevocationStatements.currentRevision), 3, $1::uuid, $2::bigint, \(RevocationStatements.keptUntil))
    """)
  private static let purge = Statement("purge_tokens", "DELETE FROM revoked_tokens WHERE kept_until < $1")
  private static let list = Statement(
    "list_tokens", "SELECT id, subject, expires_at, revoked_at FROM revoked_tokens ORDER BY revoked_at, id")
  private static let epoch = Statement(
    "epoch",
    """
    SELECT coalesce(epoch, 0) FROM users LEFT JOIN token_epochs ON user_id = id
    WHERE id = $1 AND status = \(UserStatus.active.rawValue) AND deleted_at IS NULL
    """)

  /// Creates the revocations of the database at `address`.
  public init(_ address: PostgresAddress) {
    self.address = address
  }

  public func revoke(_ token: RevokedToken, longest: Duration) throws(StoreError) -> Bool {
    let keptUntil = token.keptUntil(longest: longest)
    let id = SQLValue.bytes(token.id.bytes)
    return try withSession { (handle) throws(PostgresFailure) in
      _ = try handle.execute(WriteStatements.begin)
      _ = try handle.execute(WriteStatements.advance(nil, nil))
      let isKnown = try handle.execute(Command(Self.known, id)).flag(0, 0)
      _ = try handle.execute(
        Command(
          Self.revoke, id, .text(token.subject), .time(token.expiresAt), .time(token.revokedAt),
          .time(keptUntil)))
      _ = try handle.execute(Command(Self.note, id, .time(keptUntil)))
      _ = try handle.execute(Command(Self.purge, .time(token.revokedAt)))
      _ = try handle.execute(WriteStatements.commit)
      return !isKnown
    }
  }

  public func list() throws(StoreError) -> [RevokedToken] {
    try withSession { (handle) throws(PostgresFailure) in
      let rows = try handle.execute(Command(Self.list))
      return (0..<rows.count).compactMap { row in
        TokenID(bytes: rows.blob(row, 0)).map { id in
          RevokedToken(
            id: id, subject: rows.isNull(row, 1) ? nil : rows.text(row, 1),
            expiresAt: rows.optionalTime(row, 2),
            revokedAt: rows.time(row, 3))
        }
      }
    }
  }

  public func epoch(of user: UserID) throws(StoreError) -> Int64? {
    try withSession { (handle) throws(PostgresFailure) in
      let rows = try handle.execute(Command(Self.epoch, .id(user)))
      return rows.count == 0 ? nil : rows.integer(0, 0)
    }
  }

  private func withSession<Value>(
    _ body: (LibpqHandle) throws(PostgresFailure) -> Value
  ) throws(StoreError) -> Value {
    try PostgresMigrator(address).requireUsable()
    do {
      return try body(
        PostgresConnector(address: address, role: .administration(lockTimeout: .seconds(10))).open())
    } catch {
      throw StoreError(error, at: address)
    }
  }
}
