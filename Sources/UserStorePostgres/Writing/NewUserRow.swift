import UserDomain

/// A user to be stored, with everything that a row of `users` has, and the password's hash.
struct NewUserRow: Sendable {
  var user: User
  /// The place in the order of creation; nil if that is the id.
  var place: UserID?
  var passwordHash: PasswordHash?
}

extension [NewUserRow] {
  /// The statement that stores the users, as far as their ids, addresses and places are free, with their password hashes.
  /// It returns the ids of those that were stored.
  static let insert = Statement("insert_users", sql(onConflict: "ON CONFLICT DO NOTHING"))

  /// The same for users that are expected to be new: it fails with ``isConflict(_:)`` if one is not. The server need not
  /// look at three indexes before it inserts a row, which takes a third of the time.
  static let insertUnchecked = Statement("insert_users_unchecked", sql(onConflict: ""))

  /// Whether ``insertUnchecked`` has failed because an address is taken.
  static func isConflict(_ failure: PostgresFailure) -> Bool {
    // unique_violation
    failure.state == "23505"
  }

  private static func sql(onConflict: String) -> String {
    """
    WITH input AS (
      SELECT * FROM unnest(
        $1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::bytea[], $6::smallint[], $7::bigint[], $8::bigint[],
        $9::bigint[], $10::bigint[], $11::text[], $12::uuid[], $13::text[]
      ) AS row (id, email, email_key, name, name_key, status, created_at, updated_at, deleted_at, purge_at, labels, place,
        phc_hash)
    ), stored AS (
      INSERT INTO users (
        id, email, email_key, name, name_key, status, created_at, updated_at, deleted_at, purge_at, labels, place)
      SELECT id, email, email_key, name, name_key, status, created_at, updated_at, deleted_at, purge_at, labels, place
      FROM input
      \(onConflict) RETURNING id
    ), credentials AS (
      INSERT INTO password_credentials (user_id, phc_hash)
      SELECT id, phc_hash FROM input JOIN stored USING (id) WHERE phc_hash IS NOT NULL
    )
    SELECT id FROM stored
    """
  }

  /// The statement that stores the labels of users that are stored.
  static let insertLabels = Statement(
    "insert_labels",
    """
    INSERT INTO user_labels (key, value, user_id)
    SELECT key, value, user_id FROM unnest($1::bytea[], $2::bytea[], $3::uuid[]) AS row (key, value, user_id)
    WHERE EXISTS (SELECT 1 FROM users WHERE id = user_id) ON CONFLICT DO NOTHING
    """)

  /// The commands that store the users; the first returns the ids of those that were stored.
  ///
  /// - Parameter isChecked: whether users whose address is taken are left out, in place of a failure.
  func commands(isChecked: Bool) -> [Command] {
    if isEmpty { return [] }
    var columns: [SQLArray] = [
      SQLArray(.uuid, reserving: 20 * count), SQLArray(.text, reserving: 32 * count),
      SQLArray(.bytea, reserving: 32 * count), SQLArray(.text, reserving: 20 * count),
      SQLArray(.bytea, reserving: 20 * count), SQLArray(.smallint, reserving: 6 * count),
      SQLArray(.bigint, reserving: 12 * count), SQLArray(.bigint), SQLArray(.bigint), SQLArray(.bigint),
      SQLArray(.text), SQLArray(.uuid), SQLArray(.text),
    ]
    for row in self { row.append(to: &columns) }
    let insert = Command(isChecked ? Self.insert : Self.insertUnchecked, columns.map { .array($0) })
    return labels.map { [insert, $0] } ?? [insert]
  }

  private var labels: Command? {
    var (keys, values, users) = (SQLArray(.bytea), SQLArray(.bytea), SQLArray(.uuid))
    for row in self where !row.user.labels.isEmpty {
      for (key, value) in row.user.labels.byKey {
        keys.append(.text(key))
        values.append(.text(value))
        users.append(.id(row.user.id))
      }
    }
    return keys.count == 0 ? nil : Command(Self.insertLabels, .array(keys), .array(values), .array(users))
  }
}

extension NewUserRow {
  fileprivate func append(to columns: inout [SQLArray]) {
    let email = user.email.address
    columns[0].append(.id(user.id))
    columns[1].append(.text(email))
    columns[2].append(.text(user.email.uniquenessKey))
    columns[3].append(.text(user.name.text))
    columns[4].append(.text(user.name.searchKey))
    columns[5].append(.small(Int16(user.status.rawValue)))
    columns[6].append(.time(user.createdAt))
    columns[7].append(.time(user.updatedAt == user.createdAt ? nil : user.updatedAt))
    columns[8].append(.time(user.deletion?.deletedAt))
    columns[9].append(.time(user.deletion?.purgeAt))
    columns[10].append(.text(user.labels.isEmpty ? nil : user.labels.text))
    columns[11].append(.id(place))
    columns[12].append(.text(passwordHash?.phcString))
  }
}
