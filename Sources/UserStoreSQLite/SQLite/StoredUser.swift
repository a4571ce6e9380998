import GRDB
import UserDomain

/// A user in SQLite's memory: the values of ``columns``.
struct StoredUser {
  static let columns = "id, email, name, status, created_at, updated_at, deleted_at, purge_at, labels"
  /// The number of ``columns``.
  static let columnCount = 9

  private let id: SQLiteValue
  private let email: SQLiteValue
  private let name: SQLiteValue
  private let status: SQLiteValue
  private let createdAt: SQLiteValue
  private let updatedAt: SQLiteValue
  private let deletedAt: SQLiteValue
  private let purgeAt: SQLiteValue
  private let labels: SQLiteValue

  /// - Parameter value: returns the value of each of ``columns``, counted from 0.
  init(_ value: (Int) -> SQLiteValue) {
    id = value(0)
    email = value(1)
    name = value(2)
    status = value(3)
    createdAt = value(4)
    updatedAt = value(5)
    deletedAt = value(6)
    purgeAt = value(7)
    labels = value(8)
  }

  /// Whether the user is deleted.
  var isDeleted: Bool { !deletedAt.isNull }

  /// The columns except the texts.
  ///
  /// - Throws: `SQLITE_CORRUPT` for a row that this program cannot have stored.
  func row() throws(DatabaseError) -> UserRow {
    guard let status = UserStatus(rawValue: Int(status.integer)) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a user has an unknown status")
    }
    let createdAt = try createdAt.timestamp()
    return UserRow(
      id: try id.id(), status: status, createdAt: createdAt,
      updatedAt: updatedAt.isNull ? createdAt : try updatedAt.timestamp(),
      deletion: isDeleted
        ? UserDeletion(deletedAt: try deletedAt.timestamp(), purgeAt: try purgeAt.timestamp()) : nil,
      labels: labels.isNull ? UserLabels() : UserLabels(trusted: labels.text))
  }

  /// Calls `body` with the texts.
  @inline(__always) func withTexts<Result>(_ body: (_ email: UTF8Span, _ name: UTF8Span) -> Result) -> Result
  {
    email.withText { email in name.withText { name in body(email, name) } }
  }
}
