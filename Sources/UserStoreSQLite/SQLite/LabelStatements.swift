import GRDB
import UserDomain

/// The statements that write `user_labels`, by which users are found: a row for each label in `users.labels`.
final class LabelStatements {
  private let insert: PreparedStatement
  private let delete: PreparedStatement

  init(_ connection: SQLiteConnection) throws(DatabaseError) {
    insert = try connection.prepare(
      "INSERT OR IGNORE INTO user_labels (key, value, user_id) VALUES (?1, ?2, ?3)")
    delete = try connection.prepare("DELETE FROM user_labels WHERE key = ?1 AND value = ?2 AND user_id = ?3")
  }

  func add(_ labels: UserLabels, to user: UserID) throws(DatabaseError) {
    if !labels.isEmpty { try run(insert, labels, user) }
  }

  func remove(_ labels: UserLabels, of user: UserID) throws(DatabaseError) {
    if !labels.isEmpty { try run(delete, labels, user) }
  }

  private func run(
    _ statement: PreparedStatement, _ labels: UserLabels, _ user: UserID
  ) throws(DatabaseError) {
    try statement.bind(user, at: 3)
    for (key, value) in labels.byKey {
      try statement.bind(key, at: 1)
      try statement.bind(value, at: 2)
      try statement.run()
    }
  }
}
