import GRDB
import UserDomain

/// A user in SQLite's memory: the values of ``columns``.
struct StoredUser {
  static let columns = "id, email, name, status, created_at"

  private let id: SQLiteValue
  private let email: SQLiteValue
  private let name: SQLiteValue
  private let status: SQLiteValue
  private let createdAt: SQLiteValue

  /// - Parameter value: returns the value of each of ``columns``, counted from 0.
  init(_ value: (Int) -> SQLiteValue) {
    id = value(0)
    email = value(1)
    name = value(2)
    status = value(3)
    createdAt = value(4)
  }

  /// The columns with a fixed size.
  ///
  /// - Throws: `SQLITE_CORRUPT` for a row that this program cannot have stored.
  func row() throws(DatabaseError) -> UserRow {
    guard let status = UserStatus(rawValue: Int(status.integer)) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a user has an unknown status")
    }
    return UserRow(
      id: try id.id(), status: status, createdAt: Timestamp(microsecondsSinceEpoch: createdAt.integer))
  }

  /// Calls `body` with the texts.
  func withTexts<Result>(_ body: (_ email: UTF8Span, _ name: UTF8Span) -> Result) -> Result {
    email.withText { email in name.withText { name in body(email, name) } }
  }
}
