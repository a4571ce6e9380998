import UserDomain

/// The statements of the writing connection.
enum WriteStatements {
  /// A transaction that has the lock sees what others have committed before, whatever isolation the database's default is.
  static let begin = Command(Statement("begin", "BEGIN ISOLATION LEVEL READ COMMITTED"))
  static let commit = Command(Statement("commit", "COMMIT"))
  static let rollback = Command(Statement("rollback", "ROLLBACK"))
  /// Takes the lock that makes transactions one after another, and returns the greatest id.
  static let lock = Command(
    Statement("lock_revision", "SELECT last_id FROM store_revision WHERE is_only FOR UPDATE"))
  /// Takes the lock if no other transaction has it, and otherwise fails.
  static let lockAtOnce = Command(
    Statement("lock_revision_at_once", "SELECT 1 FROM store_revision WHERE is_only FOR UPDATE NOWAIT"))

  private static let advanceRevision = Statement(
    "advance_revision",
    """
    UPDATE store_revision SET
      number = number + 1,
      -- NULL, which the table refuses, where another service has assigned a greater id.
      last_id = CASE WHEN $1::uuid IS NULL OR last_id < $1 THEN greatest(last_id, $2::uuid) END
    WHERE is_only RETURNING number
    """)

  /// Takes the lock, and returns the number of the transaction, in which ids from `first` on are assigned, and `greatest`
  /// is the greatest that is its user's place.
  static func advance(_ first: UserID?, _ greatest: UserID?) -> Command {
    Command(advanceRevision, .id(first), .id(greatest))
  }

  /// Whether ``advance(_:_:)`` has failed because greater ids are assigned.
  static func isOutOfOrder(_ failure: PostgresFailure) -> Bool {
    // not_null_violation
    failure.state == "23502" && failure.column == "last_id"
  }

  /// The statements of the writes of a transaction, in one list.
  struct Body {
    var commands: [Command] = []
    /// Whether the first command stores users, and returns their ids.
    var storesUsers = false
    /// Which of the commands are those of each write.
    var ranges: [Range<Int>] = []
  }

  /// Puts the statements of writes together.
  ///
  /// - Parameter isChecked: see `[NewUserRow].commands(isChecked:)`.
  static func body(of plans: [PlannedWrite<Void>], isChecked: Bool) -> Body {
    var body = Body()
    let users = plans.count == 1 ? plans[0].newUsers : plans.flatMap(\.newUsers)
    body.commands = users.commands(isChecked: isChecked)
    body.storesUsers = !users.isEmpty
    for plan in plans {
      body.ranges.append(body.commands.count..<body.commands.count + plan.commands.count)
      body.commands += plan.commands
    }
    return body
  }

  static let all =
    [begin, commit, rollback, lock, lockAtOnce].map(\.statement) + [advanceRevision]
    + [[NewUserRow].insert, [NewUserRow].insertUnchecked, [NewUserRow].insertLabels]
    + UserChangeStatements.all + TokenStatements.all + SessionStatements.all + AttemptStatements.all
    + RequestStatements.all + SecretStatements.all + ImportStatements.all
}

/// The statements of the keys that belong to the database.
enum SecretStatements {
  static let offer = Statement(
    "offer_secret", "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
  static let read = Statement("secret", "SELECT value FROM secrets WHERE name = $1")

  static let all = [offer, read]
}

/// The statements that read, change and delete one user.
enum UserChangeStatements {
  static let user = Statement("user", "SELECT \(UserColumns.sql) FROM users WHERE id = $1")
  static let userByKey = Statement("user_by_key", "SELECT id FROM users WHERE email_key = $1")
  static let hash = Statement("hash", "SELECT phc_hash FROM password_credentials WHERE user_id = $1")
  static let update = Statement(
    "update_user",
    """
    UPDATE users SET email = $2, email_key = $3, name = $4, name_key = $5, status = $6, labels = $7, updated_at = $8
    WHERE id = $1
    """)
  /// The indexes of addresses and names are left alone.
  static let updateUnsearched = Statement(
    "update_user_unsearched", "UPDATE users SET status = $2, labels = $3, updated_at = $4 WHERE id = $1")
  static let setDeletion = Statement(
    "set_deletion", "UPDATE users SET deleted_at = $2, purge_at = $3, updated_at = $4 WHERE id = $1")
  static let delete = Statement("delete_user", "DELETE FROM users WHERE id = $1")
  static let purgeable = Statement(
    "purgeable_users", "SELECT \(UserColumns.sql) FROM users WHERE purge_at <= $1 ORDER BY purge_at LIMIT $2")

  static let putHash = Statement(
    "put_hash",
    """
    INSERT INTO password_credentials (user_id, phc_hash) VALUES ($1, $2)
    ON CONFLICT (user_id) DO UPDATE SET phc_hash = excluded.phc_hash
    """)
  static let deleteHash = Statement("delete_hash", "DELETE FROM password_credentials WHERE user_id = $1")
  static let upgradeHash = Statement(
    "upgrade_hash", "UPDATE password_credentials SET phc_hash = $3 WHERE user_id = $1 AND phc_hash = $2")
  static let addLabel = Statement(
    "add_label", "INSERT INTO user_labels (key, value, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
  static let removeLabel = Statement(
    "remove_label", "DELETE FROM user_labels WHERE key = $1 AND value = $2 AND user_id = $3")

  static let all = [
    user, userByKey, hash, update, updateUnsearched, setDeletion, delete, purgeable, putHash, deleteHash,
    upgradeHash,
    addLabel, removeLabel,
  ]
}

/// The statements of token epochs. What they revoke they also note in `revocation_events`, for the other services.
enum TokenStatements {
  private static let revision = RevocationStatements.currentRevision
  private static let keptUntil = RevocationStatements.keptUntil

  static let standing = Statement(
    "standing",
    """
    SELECT status, coalesce(epoch, 0) FROM users LEFT JOIN token_epochs ON user_id = id
    WHERE id = $1 AND deleted_at IS NULL
    """)
  /// Ends the sessions of a user and begins an epoch; `$3`: whether the user may use the service.
  static let end = Statement(
    "end_tokens",
    """
    WITH ended AS (
      DELETE FROM sessions WHERE user_id = $1
    ), begun AS (
      INSERT INTO token_epochs AS stored (user_id, epoch, began_at) VALUES ($1, 1, $2::bigint)
      ON CONFLICT (user_id) DO UPDATE SET epoch = stored.epoch + 1, began_at = excluded.began_at
      RETURNING epoch, began_at
    ), noted AS (
      INSERT INTO revocation_events (revision, kind, id, epoch, is_active, at, kept_until)
      SELECT \(revision), 1, $1, epoch, $3::boolean, began_at, \(keptUntil) FROM begun
    )
    SELECT epoch, began_at FROM begun
    """)
  /// Lets a user get new tokens; `$2`: whether the user may use the service.
  static let readmit = Statement(
    "readmit",
    """
    WITH noted AS (
      INSERT INTO revocation_events (revision, kind, id, epoch, is_active, at, kept_until)
      SELECT \(revision), 1, user_id, epoch, $2::boolean, began_at, \(keptUntil) FROM token_epochs WHERE user_id = $1
    )
    SELECT epoch, began_at FROM token_epochs WHERE user_id = $1
    """)
  static let retire = Statement(
    "retire",
    """
    INSERT INTO erased_users (user_id, epoch, began_at, kept_until)
    SELECT user_id, epoch, began_at, $2::bigint FROM token_epochs WHERE user_id = $1
    ON CONFLICT (user_id) DO UPDATE SET
      epoch = excluded.epoch, began_at = excluded.began_at, kept_until = excluded.kept_until
    """)
  static let forgetRetired = Statement(
    "forget_retired",
    """
    DELETE FROM erased_users WHERE user_id IN (SELECT user_id FROM erased_users WHERE kept_until < $1 LIMIT 64)
    """)
  /// Keeps tokens of an erased user from being those of the user that has its id now.
  static let renew = Statement(
    "renew",
    """
    WITH gone AS (
      DELETE FROM erased_users WHERE user_id = $1 RETURNING epoch
    ), begun AS (
      INSERT INTO token_epochs (user_id, epoch, began_at) SELECT $1, epoch + 1, $2::bigint FROM gone
      RETURNING epoch, began_at
    ), noted AS (
      INSERT INTO revocation_events (revision, kind, id, epoch, is_active, at, kept_until)
      SELECT \(revision), 1, $1, epoch, $3::boolean, began_at, \(keptUntil) FROM begun
    )
    SELECT epoch, began_at FROM begun
    """)
  /// Notes once that a session has ended; `$2`: until when that must be known.
  static let noteSession = Statement(
    "note_session_end",
    """
    INSERT INTO revocation_events (revision, kind, id, at, kept_until)
    VALUES (\(revision), 2, $1::uuid, $2::bigint, greatest($2::bigint, \(keptUntil)))
    ON CONFLICT (id) WHERE kind = 2 DO NOTHING
    """)
  /// Deletes up to `$1` notes that are of no use any more, and returns their number; no row for none.
  static let forgetNotes = Statement(
    "forget_notes",
    """
    WITH gone AS (
      DELETE FROM revocation_events WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM revocation_events WHERE kept_until < \(RevocationStatements.now)
        ORDER BY kept_until LIMIT $1::bigint))
      RETURNING revision
    )
    UPDATE store_revision SET forgotten = greatest(forgotten, (SELECT max(revision) FROM gone))
    WHERE is_only AND EXISTS (SELECT 1 FROM gone) RETURNING (SELECT count(*) FROM gone)
    """)

  static let all = [standing, end, readmit, retire, forgetRetired, renew, noteSession, forgetNotes]
}

/// The statements of sessions.
enum SessionStatements {
  static let insert = Statement(
    "insert_session",
    """
    INSERT INTO sessions (id, user_id, token_hash, rotated_at, expires_at, kept_until) VALUES ($1, $2, $3, $4, $5, $6)
    """)
  /// A session, and the epoch of its user; NULL if the user is deleted.
  static let session = Statement(
    "session",
    """
    SELECT sessions.user_id, token_hash, previous_hash, rotated_at, expires_at, ended_at, kept_until,
      CASE WHEN deleted_at IS NULL THEN coalesce(epoch, 0) END
    FROM sessions JOIN users ON users.id = sessions.user_id
    LEFT JOIN token_epochs ON token_epochs.user_id = sessions.user_id WHERE sessions.id = $1
    """)
  static let update = Statement(
    "update_session",
    """
    UPDATE sessions SET token_hash = $2, previous_hash = $3, rotated_at = $4, ended_at = $5, kept_until = $6,
      expires_at = $7
    WHERE id = $1
    """)
  static let mend = Statement(
    "mend_sessions",
    """
    UPDATE sessions SET rotated_at = $2 - 1, expires_at = least(expires_at, $3), kept_until = least(kept_until, $4)
    WHERE user_id = $1 AND ended_at IS NULL AND rotated_at > $2
    """)
  /// Ends the sessions of a user beyond the maximum, but for `$2`, and returns their ids.
  static let deleteOldest = Statement(
    "delete_oldest_sessions",
    """
    WITH gone AS (
      DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND id <> $2
        ORDER BY rotated_at DESC OFFSET \(SessionPolicy.sessionsPerUser - 1))
      RETURNING id
    ), noted AS (
      INSERT INTO revocation_events (revision, kind, id, at, kept_until)
      SELECT \(RevocationStatements.currentRevision), 2, id, $3::bigint,
        greatest($3::bigint, \(RevocationStatements.keptUntil)) FROM gone
      ON CONFLICT (id) WHERE kind = 2 DO NOTHING
    )
    SELECT id FROM gone
    """)
  static let purge = Statement(
    "purge_sessions",
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE kept_until < $1 LIMIT 8)")

  static let all = [insert, session, update, mend, deleteOldest, purge]
}

/// The statements of requests with ids.
enum RequestStatements {
  static let remembered = Statement(
    "remembered_requests",
    """
    SELECT create_requests.id, create_requests.user_id, content_hash, made_at, phc_hash, created_at
    FROM create_requests JOIN users ON users.id = create_requests.user_id
    LEFT JOIN password_credentials ON password_credentials.user_id = create_requests.user_id
    WHERE create_requests.id = ANY ($1::uuid[])
    """)
  static let takenKeys = Statement(
    "taken_keys", "SELECT email_key FROM users WHERE email_key = ANY ($1::bytea[])")
  /// Records requests whose users are stored.
  static let put = Statement(
    "put_requests",
    """
    INSERT INTO create_requests (id, user_id, content_hash, made_at)
    SELECT id, user_id, content_hash, $4 FROM unnest($1::uuid[], $2::uuid[], $3::bytea[])
      AS row (id, user_id, content_hash)
    WHERE EXISTS (SELECT 1 FROM users WHERE users.id = row.user_id)
    ON CONFLICT (id) DO UPDATE SET
      user_id = excluded.user_id, content_hash = excluded.content_hash, made_at = excluded.made_at
    """)
  static let purge = Statement(
    "purge_requests",
    """
    DELETE FROM create_requests WHERE id IN (
      SELECT id FROM create_requests WHERE made_at < $1 OR made_at > $2 LIMIT 256)
    """)
  static let forget = Statement("forget_requests", "DELETE FROM create_requests WHERE user_id = $1")

  static let all = [remembered, takenKeys, put, purge, forget]
}

/// The statements of imports.
enum ImportStatements {
  /// The users with any of these ids, places or addresses, and their places.
  static let stored = Statement(
    "stored_users",
    """
    SELECT \(UserColumns.sql), coalesce(place, id), email_key FROM users WHERE id = ANY ($1::uuid[])
    UNION SELECT \(UserColumns.sql), coalesce(place, id), email_key FROM users
      WHERE coalesce(place, id) = ANY ($1::uuid[])
    UNION SELECT \(UserColumns.sql), coalesce(place, id), email_key FROM users WHERE email_key = ANY ($2::bytea[])
    """)
  static let retired = Statement(
    "retired_users", "SELECT user_id FROM erased_users WHERE user_id = ANY ($1::uuid[])")

  static let all = [stored, retired]
}
