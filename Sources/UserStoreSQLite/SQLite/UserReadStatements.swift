import GRDB
import UserDomain
import UserStore

/// The statements that read users. Each is a read transaction of its own, unless `begin` has opened one.
final class UserReadStatements {
  static let byIDSQL = "SELECT \(StoredUser.columns) FROM users WHERE id = ?1"
  static let byPlaceSQL = "SELECT 1 FROM users WHERE place = ?1"
  static let byEmailSQL = "SELECT \(StoredUser.columns) FROM users WHERE email_key = ?1"
  static let credentialSQL = """
    SELECT \(StoredUser.columns), phc_hash, coalesce(epoch, 0) FROM users
    LEFT JOIN password_credentials ON password_credentials.user_id = id
    LEFT JOIN token_epochs ON token_epochs.user_id = id WHERE email_key = ?1 AND deleted_at IS NULL
    """
  /// Ids from the greatest on, and whether each is its user's place.
  static let newestSQL = "SELECT id, place IS NULL FROM users WHERE id <= ?1 ORDER BY id DESC"
  static let dueSQL = "SELECT 1 FROM users WHERE purge_at <= ?1 LIMIT 1"
  static let lastPlaceSQL = "SELECT place FROM users WHERE place IS NOT NULL ORDER BY place DESC LIMIT 1"

  let begin: PreparedStatement
  let end: PreparedStatement
  private let byID: PreparedStatement
  private let byPlace: PreparedStatement
  private let byEmail: PreparedStatement
  private let credential: PreparedStatement
  private let hash: PreparedStatement
  private let newest: PreparedStatement
  private let due: PreparedStatement
  private let lastPlace: PreparedStatement
  private let pages: UserPageStatements

  init(_ connection: SQLiteConnection) throws(DatabaseError) {
    begin = try connection.prepare("BEGIN")
    end = try connection.prepare("COMMIT")
    byID = try connection.prepare(Self.byIDSQL)
    byPlace = try connection.prepare(Self.byPlaceSQL)
    byEmail = try connection.prepare(Self.byEmailSQL)
    credential = try connection.prepare(Self.credentialSQL)
    hash = try connection.prepare("SELECT phc_hash FROM password_credentials WHERE user_id = ?1")
    newest = try connection.prepare(Self.newestSQL)
    due = try connection.prepare(Self.dueSQL)
    lastPlace = try connection.prepare(Self.lastPlaceSQL)
    pages = try UserPageStatements(connection)
  }

  func readUser(id: UserID, showsDeleted: Bool, _ body: UserReader) throws(DatabaseError) -> Bool {
    try byID.bind(id, at: 1)
    defer { byID.reset() }
    guard try byID.step() else { return false }
    return try byID.readUser(showsDeleted: showsDeleted, body)
  }

  func readUser(emailKey: String, showsDeleted: Bool, _ body: UserReader) throws(DatabaseError) -> Bool {
    try emailKey.utf8Span.span.withUnsafeBufferPointer { (key) throws(DatabaseError) in
      try byEmail.bind(lent: key, at: 1)
      defer { byEmail.reset() }
      guard try byEmail.step() else { return false }
      return try byEmail.readUser(showsDeleted: showsDeleted, body)
    }
  }

  /// Returns the user with this id, deleted or not.
  func user(id: UserID) throws(DatabaseError) -> User? {
    var user: User?
    _ = try readUser(id: id, showsDeleted: true) { user = User($0, email: $1, name: $2) }
    return user
  }

  /// Returns the user with this address, deleted or not.
  func user(emailKey: String) throws(DatabaseError) -> User? {
    var user: User?
    _ = try readUser(emailKey: emailKey, showsDeleted: true) { user = User($0, email: $1, name: $2) }
    return user
  }

  func credential(emailKey: String) throws(DatabaseError) -> Credential? {
    try credential.bind(emailKey, at: 1)
    defer { credential.reset() }
    guard try credential.step() else { return nil }
    let hash = credential.isNull(at: 9) ? nil : PasswordHash(phcString: credential.text(at: 9))
    return Credential(user: try credential.user(), passwordHash: hash, epoch: credential.integer(at: 10))
  }

  func passwordHash(of user: UserID) throws(DatabaseError) -> PasswordHash? {
    try hash.bind(user, at: 1)
    defer { hash.reset() }
    return try hash.step() ? PasswordHash(phcString: hash.text(at: 0)) : nil
  }

  /// Returns whether a user's place is the id of another, or its id the place of another. `place` is nil if it is the id.
  func isTaken(_ id: UserID, place: UserID?) throws(DatabaseError) -> Bool {
    let statement = place == nil ? byPlace : byID
    try statement.bind(place ?? id, at: 1)
    defer { statement.reset() }
    return try statement.step()
  }

  /// Returns whether any user is due to be purged.
  func hasUsersToPurge(at now: Timestamp) throws(DatabaseError) -> Bool {
    try due.bind(now.microsecondsSinceEpoch, at: 1)
    defer { due.reset() }
    return try due.step()
  }

  /// Returns the greatest id that is a place, or nil.
  ///
  /// It takes as long as there are greater ids that are not places: a tenth of a second for a million.
  func newestUserID() throws(DatabaseError) -> UserID? {
    try newest.bind(.last, at: 1)
    defer { newest.reset() }
    while try newest.step() {
      if newest.integer(at: 1) != 0 { return try newest.id(at: 0) }
    }
    return nil
  }

  /// Returns an id that no id that is a place and at most `bound` exceeds; nil if there is none.
  ///
  /// It is the greatest of them, unless many greater ids are not places.
  private func newestUserID(upTo bound: UserID) throws(DatabaseError) -> UserID? {
    try newest.bind(bound, at: 1)
    defer { newest.reset() }
    var last: UserID?
    for _ in 0..<UsersRead.looks {
      guard try newest.step() else { return nil }
      last = try newest.id(at: 0)
      if newest.integer(at: 1) != 0 { return last }
    }
    return last
  }

  /// Returns a place that no user's exceeds whose id is at most `bound` or is not its place; nil if there are no users.
  func lastPlace(upTo bound: UserID) throws(DatabaseError) -> UserID? {
    let newest = try newestUserID(upTo: bound)
    defer { lastPlace.reset() }
    guard try lastPlace.step() else { return newest }
    let last = try lastPlace.id(at: 0)
    return newest.map { max($0, last) } ?? last
  }

  func readUsers(
    _ query: UserQuery, after: ListingPosition?, through: UserID, limit: Int, _ body: UserReader
  ) throws(DatabaseError) -> UsersRead {
    try pages.read(query, after: after, through: through, limit: limit, body)
  }
}

extension PreparedStatement {
  /// Calls `body` with the user in the current row, whose first columns are `StoredUser.columns`, unless it is deleted and
  /// `showsDeleted` is false. Returns whether it was called.
  func readUser(showsDeleted: Bool, _ body: UserReader) throws(DatabaseError) -> Bool {
    let user = StoredUser { value(at: Int32($0)) }
    if !showsDeleted, user.isDeleted { return false }
    let row = try user.row()
    user.withTexts { body(row, $0, $1) }
    return true
  }

  /// Returns the user in the current row.
  func user() throws(DatabaseError) -> User {
    let user = StoredUser { value(at: Int32($0)) }
    let row = try user.row()
    return user.withTexts { User(row, email: $0, name: $1) }
  }
}
