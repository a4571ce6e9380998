import UserDomain

/// The statements that read what is revoked, in pages of up to `$2` rows by their keys, which follow `$1`.
enum RevocationStatements {
  /// The time of the server, in microseconds since 1970-01-01T00:00:00Z: the only clock that all services share.
  static let now = "floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
  /// Until when a note is kept that is made now: an hour, for services that cannot read it at once.
  static let keptUntil = "\(now) + 3600000000"
  /// The number of the transaction.
  static let currentRevision = "(SELECT number FROM store_revision WHERE is_only)"

  static let beginSnapshot = Statement("begin_snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
  static let endSnapshot = Statement("end_snapshot", "COMMIT")
  static let revision = Statement("revision", "SELECT number FROM store_revision WHERE is_only")
  /// The users whose tokens were revoked, their epochs, and their statuses: 0 for deleted ones.
  static let epochs = Statement(
    "epochs",
    """
    SELECT user_id, epoch, began_at, standing FROM (
      SELECT user_id, epoch, began_at FROM token_epochs WHERE user_id > $1 ORDER BY user_id LIMIT $2
    ) AS page CROSS JOIN LATERAL (
      SELECT CASE WHEN deleted_at IS NULL THEN status ELSE 0::smallint END AS standing
      FROM users WHERE id = user_id OFFSET 0
    ) AS stored
    """)
  static let retired = Statement(
    "retired_epochs",
    """
    SELECT user_id, epoch, began_at, 0::smallint FROM erased_users WHERE user_id > $1 ORDER BY user_id LIMIT $2
    """)
  static let sessions = Statement(
    "ended_sessions",
    "SELECT id, kept_until FROM sessions WHERE ended_at IS NOT NULL AND id > $1 ORDER BY id LIMIT $2")
  /// The ended sessions that may have no row of their own: those that were deleted, or never known.
  static let notedSessions = Statement(
    "noted_sessions", "SELECT id, at FROM revocation_events WHERE kind = 2 AND id > $1 ORDER BY id LIMIT $2")
  static let tokens = Statement(
    "revoked_tokens", "SELECT id, kept_until FROM revoked_tokens WHERE id > $1 ORDER BY id LIMIT $2")

  static let pages = [epochs, retired, sessions, notedSessions, tokens]
  static let all = [beginSnapshot, endSnapshot, revision] + pages

  /// What the rows of one of ``pages`` say.
  static func events(_ rows: QueryResult, of page: Statement) -> [RevocationList.Event] {
    (0..<rows.count).compactMap { row in
      switch page {
      case epochs, retired:
        rows.id(row, 0).map { user in
          .epochBegan(
            user,
            RevocationList.Epoch(
              number: rows.integer(row, 1), beganAt: rows.time(row, 2),
              isUserActive: rows.small(row, 3) == UserStatus.active.rawValue))
        }
      case tokens: TokenID(bytes: rows.blob(row, 0)).map { .tokenRevoked($0, until: rows.time(row, 1)) }
      default: SessionID(bytes: rows.blob(row, 0)).map { .sessionEnded($0, until: rows.time(row, 1)) }
      }
    }
  }

  /// What the rows of `ReadStatements.revokedSince` say, in the order of their transactions.
  static func events(noted rows: QueryResult) -> [RevocationList.Event] {
    let order = (0..<rows.count).filter { !rows.isNull($0, 2) }
      .sorted { (rows.integer($0, 2), rows.integer($0, 5)) < (rows.integer($1, 2), rows.integer($1, 5)) }
    return order.compactMap { row in
      switch rows.small(row, 3) {
      case RevocationKind.epoch.rawValue:
        rows.id(row, 4).map { user in
          .epochBegan(
            user,
            RevocationList.Epoch(
              number: rows.integer(row, 5), beganAt: rows.time(row, 7), isUserActive: rows.flag(row, 6)))
        }
      case RevocationKind.session.rawValue:
        SessionID(bytes: rows.blob(row, 4)).map { .sessionEnded($0, until: rows.time(row, 7)) }
      default:
        TokenID(bytes: rows.blob(row, 4)).map { .tokenRevoked($0, until: rows.time(row, 7)) }
      }
    }
  }
}

/// The kinds of rows of `revocation_events`.
enum RevocationKind: Int16 {
  case epoch = 1
  case session = 2
  case token = 3
}
