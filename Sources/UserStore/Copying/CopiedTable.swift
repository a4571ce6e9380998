/// A table that a copy of a database has, with its columns. Names are the same in every engine.
package struct CopiedTable: Hashable, Sendable {
  /// A column of a table.
  package struct Column: Hashable, Sendable {
    /// The form of a column's values, and the column's type in PostgreSQL and in SQLite.
    package enum Form: Hashable, Sendable {
      /// 16 bytes: `uuid`, `BLOB`.
      case id
      /// Bytes: `bytea`, `BLOB`.
      case bytes
      /// Text: `text`, `TEXT`.
      case text
      /// Text that is compared by its bytes: `bytea`, `TEXT`.
      case key
      /// `bigint`, `INTEGER`.
      case number
      /// `smallint`, `INTEGER`.
      case small
    }

    package let name: String
    package let form: Form
  }

  /// The name.
  package let name: String
  /// The columns, those of the primary key first.
  package let columns: [Column]
  /// The number of columns of the primary key, by whose bytes rows are in order. None of them is a number or NULL.
  package let keyLength: Int

  /// The names of the columns, as SQL lists them.
  package var columnList: String { columns.map(\.name).joined(separator: ", ") }

  private init(_ name: String, key keyLength: Int = 1, _ columns: KeyValuePairs<String, Column.Form>) {
    self.name = name
    self.keyLength = keyLength
    self.columns = columns.map { Column(name: $0.key, form: $0.value) }
  }

  /// The table of users.
  package static let users = CopiedTable(
    "users",
    [
      "id": .id, "email": .text, "email_key": .key, "name": .text, "name_key": .key, "status": .small,
      "created_at": .number, "updated_at": .number, "deleted_at": .number, "purge_at": .number,
      "labels": .text,
      "place": .id,
    ])

  /// Every table with data of its own, after those that it refers to.
  package static let all: [CopiedTable] = [
    users,
    CopiedTable("password_credentials", ["user_id": .id, "phc_hash": .text]),
    CopiedTable("user_labels", key: 3, ["key": .key, "value": .key, "user_id": .id]),
    secrets,
    CopiedTable(
      "sessions",
      [
        "id": .id, "user_id": .id, "token_hash": .bytes, "previous_hash": .bytes, "rotated_at": .number,
        "expires_at": .number, "ended_at": .number, "kept_until": .number,
      ]),
    CopiedTable("token_epochs", ["user_id": .id, "epoch": .number, "began_at": .number]),
    CopiedTable(
      "erased_users", ["user_id": .id, "epoch": .number, "began_at": .number, "kept_until": .number]),
    CopiedTable(
      "create_requests", ["id": .id, "user_id": .id, "content_hash": .bytes, "made_at": .number]),
    CopiedTable(
      "sign_in_attempts", key: 2,
      ["account": .bytes, "network": .bytes, "failures": .number, "last_at": .number]),
    CopiedTable("sign_in_accounts", ["account": .bytes, "failures": .number, "last_at": .number]),
    CopiedTable(
      "known_devices", ["session_id": .id, "user_id": .id, "failures": .number, "last_at": .number]),
    CopiedTable(
      "revoked_tokens",
      ["id": .id, "subject": .text, "expires_at": .number, "revoked_at": .number, "kept_until": .number]),
  ]

  /// The table of the database's own keys.
  package static let secrets = CopiedTable("secrets", ["name": .text, "value": .bytes])
}
