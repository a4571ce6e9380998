import GRDB
import UserDomain

/// The statements that read users. Each is a read transaction of its own, unless `begin` has opened one.
final class UserReadStatements {
  static let byIDSQL = "SELECT \(StoredUser.columns) FROM users WHERE id = ?1"
  static let credentialSQL = """
    SELECT \(StoredUser.columns), phc_hash, coalesce(epoch, 0) FROM users
    LEFT JOIN password_credentials ON password_credentials.user_id = id
    LEFT JOIN token_epochs ON token_epochs.user_id = id WHERE email_key = ?1
    """
  static let newestSQL = "SELECT id FROM users ORDER BY id DESC LIMIT 1"

  let begin: PreparedStatement
  let end: PreparedStatement
  private let byID: PreparedStatement
  private let credential: PreparedStatement
  private let newest: PreparedStatement
  private let page: UserPageStatement

  init(_ connection: SQLiteConnection) throws(DatabaseError) {
    begin = try connection.prepare("BEGIN")
    end = try connection.prepare("COMMIT")
    byID = try connection.prepare(Self.byIDSQL)
    credential = try connection.prepare(Self.credentialSQL)
    newest = try connection.prepare(Self.newestSQL)
    page = try UserPageStatement(connection)
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
    try page.read(after: after, through: through, limit: limit, body)
  }
}

extension PreparedStatement {
  /// Calls `body` with the user in the current row, whose first columns are `StoredUser.columns`.
  func readUser<Result>(
    _ body: (_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) -> Result
  ) throws(DatabaseError) -> Result {
    let user = StoredUser { value(at: Int32($0)) }
    let row = try user.row()
    return user.withTexts { body(row, $0, $1) }
  }

  /// Returns the user in the current row.
  func user() throws(DatabaseError) -> User {
    try readUser { User($0, email: $1, name: $2) }
  }
}
