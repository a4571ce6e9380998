import GRDB
import UserDomain

/// The statements that read users. Each is a read transaction of its own, unless `begin` has opened one.
final class UserReadStatements {
  static let columns = "id, email, name, status, created_at"
  static let byIDSQL = "SELECT \(columns) FROM users WHERE id = ?1"
  static let credentialSQL = """
    SELECT \(columns), phc_hash, coalesce(epoch, 0) FROM users
    LEFT JOIN password_credentials ON password_credentials.user_id = id
    LEFT JOIN token_epochs ON token_epochs.user_id = id WHERE email_key = ?1
    """
  static let newestSQL = "SELECT id FROM users ORDER BY id DESC LIMIT 1"
  // A listing's upper bound is not in it: SQLite takes a tenth longer when it compares each row with one.
  static let pageSQL = "SELECT \(columns) FROM users WHERE id > ?1 ORDER BY id LIMIT ?2"

  let begin: PreparedStatement
  let end: PreparedStatement
  private let byID: PreparedStatement
  private let credential: PreparedStatement
  private let newest: PreparedStatement
  private let page: PreparedStatement

  init(_ connection: SQLiteConnection) throws(DatabaseError) {
    begin = try connection.prepare("BEGIN")
    end = try connection.prepare("COMMIT")
    byID = try connection.prepare(Self.byIDSQL)
    credential = try connection.prepare(Self.credentialSQL)
    newest = try connection.prepare(Self.newestSQL)
    page = try connection.prepare(Self.pageSQL)
  }

  func readUser(id: UserID, _ body: UserReader) throws(DatabaseError) -> Bool {
    try byID.bind(id, at: 1)
    defer { byID.reset() }
    guard try byID.step() else { return false }
    try byID.readUser(body)
    return true
  }

  func user(id: UserID) throws(DatabaseError) -> User? {
    var user: User?
    _ = try readUser(id: id) { user = User($0, email: $1, name: $2) }
    return user
  }

  func credential(emailKey: String) throws(DatabaseError) -> Credential? {
    try credential.bind(emailKey, at: 1)
    defer { credential.reset() }
    guard try credential.step() else { return nil }
    let hash = credential.isNull(at: 5) ? nil : PasswordHash(phcString: credential.text(at: 5))
    return Credential(user: try credential.user(), passwordHash: hash, epoch: credential.integer(at: 6))
  }

  func newestUserID() throws(DatabaseError) -> UserID? {
    defer { newest.reset() }
    return try newest.step() ? try newest.id(at: 0) : nil
  }

  func readUsers(
    after: UserID?, through: UserID, limit: Int, _ body: UserReader
  ) throws(DatabaseError) -> UsersRead {
    if let after {
      try page.bind(after, at: 1)
    } else {
      // The empty BLOB sorts before every id.
      try page.bindEmptyBlob(at: 1)
    }
    try page.bind(Int64(max(limit, 0)), at: 2)
    defer { page.reset() }
    var users = UsersRead()
    while try page.step() {
      let row = try page.userRow()
      guard row.id <= through else { break }
      page.withTexts { body(row, $0, $1) }
      users.count += 1
      users.last = row.id
    }
    return users
  }
}

extension PreparedStatement {
  /// Calls `body` with the user in the current row, whose first columns are `UserReadStatements.columns`.
  func readUser<Result>(
    _ body: (_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) -> Result
  ) throws(DatabaseError) -> Result {
    let row = try userRow()
    return withTexts { body(row, $0, $1) }
  }

  /// Returns the columns with a fixed size of the user in the current row.
  fileprivate func userRow() throws(DatabaseError) -> UserRow {
    guard let status = UserStatus(rawValue: Int(integer(at: 3))) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a user has an unknown status")
    }
    return UserRow(
      id: try id(at: 0), status: status, createdAt: Timestamp(microsecondsSinceEpoch: integer(at: 4)))
  }

  /// Calls `body` with the texts of the user in the current row.
  fileprivate func withTexts<Result>(_ body: (_ email: UTF8Span, _ name: UTF8Span) -> Result) -> Result {
    withText(at: 1) { email in withText(at: 2) { name in body(email, name) } }
  }

  /// Returns the user in the current row.
  func user() throws(DatabaseError) -> User {
    try readUser { User($0, email: $1, name: $2) }
  }
}
