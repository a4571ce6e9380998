import UserDomain

/// The statements of reading connections. Each is a transaction of its own.
enum ReadStatements {
  static let byID = Statement("user_by_id", "SELECT \(UserColumns.sql) FROM users WHERE id = $1")
  static let byIDs = Statement(
    "users_by_ids", "SELECT \(UserColumns.sql) FROM users WHERE id = ANY ($1::uuid[])")
  static let passwordHashes = Statement(
    "password_hashes", "SELECT user_id, phc_hash FROM password_credentials WHERE user_id = ANY ($1::uuid[])")
  static let byEmail = Statement("user_by_email", "SELECT \(UserColumns.sql) FROM users WHERE email_key = $1")
  static let credential = Statement(
    "credential",
    """
    SELECT \(UserColumns.sql), phc_hash, coalesce(epoch, 0) FROM users
    LEFT JOIN password_credentials ON password_credentials.user_id = id
    LEFT JOIN token_epochs ON token_epochs.user_id = id WHERE email_key = $1 AND deleted_at IS NULL
    """)
  static let passwordHash = Statement(
    "password_hash", "SELECT phc_hash FROM password_credentials WHERE user_id = $1")
  static let lastPlace = Statement(
    "last_place", "SELECT coalesce(place, id) FROM users ORDER BY coalesce(place, id) DESC LIMIT 1")
  static let due = Statement("due_users", "SELECT EXISTS (SELECT 1 FROM users WHERE purge_at <= $1)")

  static let networkFailures = Statement(
    "network_failures", "SELECT failures, last_at FROM sign_in_attempts WHERE account = $1 AND network = $2")
  static let accountFailures = Statement(
    "account_failures", "SELECT failures, last_at FROM sign_in_accounts WHERE account = $1")
  static let device = Statement(
    "device", "SELECT user_id, failures, last_at FROM known_devices WHERE session_id = $1")

  /// The revision of the last transaction, and that up to which notes may be deleted; then what was revoked after a revision,
  /// in any order: NULLs for nothing.
  static let revokedSince = Statement(
    "revoked_since",
    """
    SELECT number, forgotten, revision, kind, id, epoch, is_active, at
    FROM store_revision LEFT JOIN revocation_events ON revision > $1 WHERE is_only
    """)

  static let all =
    [
      byID, byIDs, passwordHashes, byEmail, credential, passwordHash, lastPlace, due, networkFailures,
      accountFailures, device, revokedSince,
    ] + PageStatements.all
}

/// The statements that read a page of users, one for each order of a listing. `$1` is the position's id; the columns are
/// those of a user, its place if that is not its id, and the key of an order by texts.
enum PageStatements {
  static let byCreation = page(
    "creation", "coalesce(place, id) > $1 AND coalesce(place, id) <= $3", order: "coalesce(place, id)")
  static let byEmail = page(
    "email", "(email_key, id) > ($3::bytea, $1)", key: "email_key", order: "email_key")
  static let byName = page(
    "name", "name_key <> '' AND (name_key, id) > ($3::bytea, $1)", key: "name_key", order: "name_key, id")
  static let byUpdate = page(
    "update", "(coalesce(updated_at, created_at), id) > ($3::bigint, $1)",
    order: "coalesce(updated_at, created_at), id")
  static let inactive = page("inactive", "status = 2 AND id > $1", order: "id")
  static let byLabel = Statement(
    "page_by_label",
    // OFFSET 0 keeps the planner from merging the two in the order of all users: it would read a user for each that the
    // label's range passes by.
    """
    SELECT stored.* FROM (
      SELECT user_id FROM user_labels WHERE key = $3 AND value = $4 AND user_id > $1 ORDER BY user_id LIMIT $2
    ) AS labelled CROSS JOIN LATERAL (
      SELECT \(UserColumns.sql), place FROM users WHERE id = user_id OFFSET 0
    ) AS stored
    """)

  static let all = [byCreation, byEmail, byName, byUpdate, inactive, byLabel]

  private static func page(
    _ name: String, _ range: String, key: String? = nil, order: String
  ) -> Statement {
    Statement(
      "page_by_\(name)",
      """
      SELECT \(UserColumns.sql), place\(key.map { ", \($0)" } ?? "") FROM users WHERE \(range) ORDER BY \(order) LIMIT $2
      """)
  }
}
