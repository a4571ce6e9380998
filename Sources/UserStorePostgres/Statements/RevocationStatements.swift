import UserDomain

/// The statements that read what is revoked.
enum RevocationStatements {
  /// The status of users that are not deleted; 0 for the others.
  private static let standing = "CASE WHEN deleted_at IS NULL THEN status ELSE 0::smallint END"

  static let beginSnapshot = Statement("begin_snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
  static let endSnapshot = Statement("end_snapshot", "COMMIT")
  static let epochs = Statement(
    "epochs",
    """
    SELECT user_id, epoch, began_at, \(standing) FROM token_epochs JOIN users ON id = user_id
    UNION ALL SELECT user_id, epoch, began_at, 0::smallint FROM erased_users
    """)
  static let sessions = Statement(
    "ended_sessions", "SELECT id, kept_until FROM sessions WHERE ended_at IS NOT NULL")
  static let tokens = Statement("revoked_tokens", "SELECT id, kept_until FROM revoked_tokens")

  static let all = [WriteStatements.rollback.statement, beginSnapshot, endSnapshot, epochs, sessions, tokens]

  /// How long notes are kept for services that cannot read them at once.
  static let notesRetention: Duration = .seconds(3_600)

  /// The commands that read all of it, and the revision, at one moment.
  static let snapshot = [
    Command(beginSnapshot), Command(ReadStatements.revision), Command(epochs), Command(sessions),
    Command(tokens),
    Command(endSnapshot),
  ]

  /// What the results of ``snapshot`` say.
  static func events(_ results: [QueryResult]) -> (revision: Int64, events: [RevocationList.Event]) {
    var events: [RevocationList.Event] = []
    let (epochs, sessions, tokens) = (results[2], results[3], results[4])
    for row in 0..<epochs.count {
      guard let user = epochs.id(row, 0) else { continue }
      events.append(
        .epochBegan(
          user,
          RevocationList.Epoch(
            number: epochs.integer(row, 1), beganAt: epochs.time(row, 2),
            isUserActive: epochs.small(row, 3) == UserStatus.active.rawValue)))
    }
    for row in 0..<sessions.count {
      if let id = SessionID(bytes: sessions.blob(row, 0)) {
        events.append(.sessionEnded(id, until: sessions.time(row, 1)))
      }
    }
    for row in 0..<tokens.count {
      if let id = TokenID(bytes: tokens.blob(row, 0)) {
        events.append(.tokenRevoked(id, until: tokens.time(row, 1)))
      }
    }
    return (results[1].integer(0, 0), events)
  }

  /// What the rows of `ReadStatements.revokedSince` say.
  static func events(noted rows: QueryResult) -> [RevocationList.Event] {
    (0..<rows.count).compactMap { row in
      switch rows.small(row, 1) {
      case RevocationKind.epoch.rawValue:
        rows.id(row, 2).map { user in
          .epochBegan(
            user,
            RevocationList.Epoch(
              number: rows.integer(row, 3), beganAt: rows.time(row, 5), isUserActive: rows.flag(row, 4)))
        }
      case RevocationKind.session.rawValue:
        SessionID(bytes: rows.blob(row, 2)).map { .sessionEnded($0, until: rows.time(row, 5)) }
      default:
        TokenID(bytes: rows.blob(row, 2)).map { .tokenRevoked($0, until: rows.time(row, 5)) }
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
