import GRDB
import GRDBSQLite
import UserDomain

/// The statement that reads a page of users, in one step: SQLite calls an SQL function for each row.
///
/// To step to each row and to ask for each of its columns would take SQLite half as long again.
struct UserPageStatement {
  /// Tests users in the order of their ids, the table's own, until the function returns true.
  static let sql = """
    SELECT 1 FROM users WHERE id > ?1 AND \(functionName)(?2, \(StoredUser.columns)) ORDER BY id
    """
  private static let functionName = "user_service_take_user"
  private static let pageType: StaticString = "UserPageStatement.Page"

  private let statement: PreparedStatement

  /// Defines the function and compiles the statement.
  init(_ connection: SQLiteConnection) throws(DatabaseError) {
    // SQLITE_NOMEM; SQLITE_BUSY only if the function is defined again while a statement runs.
    let code = connection.withDatabase { Self.defineFunction(on: $0) }
    if code != SQLITE_OK { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    statement = try connection.prepare(Self.sql)
  }

  /// Defines the function, which no schema may call. Returns SQLite's result code.
  static func defineFunction(on database: Database) -> Int32 {
    sqlite3_create_function_v2(
      database.sqliteConnection, functionName, 6, SQLITE_UTF8 | SQLITE_DIRECTONLY, nil,
      { context, _, arguments in
        // `read` binds the page, and the function has six arguments.
        let page = sqlite3_value_pointer(arguments![0], UserPageStatement.pageType.characters)!
        let isOver = Unmanaged<Page>.fromOpaque(page)._withUnsafeGuaranteedRef { page in
          page.take(StoredUser { SQLiteValue(arguments![1 + $0], isUTF8: page.hasUTF8) })
        }
        sqlite3_result_int(context, isOver ? 1 : 0)
      }, nil, nil, nil)
  }

  /// Calls `body` with at most `limit` users by ascending id, whose ids are greater than `after` (nil: from the first)
  /// and at most `through`.
  func read(
    after: UserID?, through: UserID, limit: Int, _ body: UserReader
  ) throws(DatabaseError) -> UsersRead {
    guard limit > 0 else { return UsersRead() }
    if let after {
      try statement.bind(after, at: 1)
    } else {
      // The empty BLOB sorts before every id.
      try statement.bindEmptyBlob(at: 1)
    }
    return try withoutActuallyEscaping(body) { body throws(DatabaseError) in
      let page = Page(through: through, limit: limit, hasUTF8: statement.hasUTF8, body)
      // Unretained, because no step follows that does not bind another page first.
      try statement.bind(Unmanaged.passUnretained(page).toOpaque(), type: Self.pageType, at: 2)
      defer { statement.reset() }
      _ = try withExtendedLifetime(page) { () throws(DatabaseError) in try statement.step() }
      if let failure = page.failure { throw failure }
      return page.users
    }
  }

  /// A page that is being read.
  private final class Page {
    private let through: UserID
    private let limit: Int
    let hasUTF8: Bool
    private let body: UserReader
    private(set) var users = UsersRead()
    private(set) var failure: DatabaseError?

    init(through: UserID, limit: Int, hasUTF8: Bool, _ body: @escaping UserReader) {
      self.through = through
      self.limit = limit
      self.hasUTF8 = hasUTF8
      self.body = body
    }

    /// Takes the next user. Returns whether the page is over.
    func take(_ user: StoredUser) -> Bool {
      do throws(DatabaseError) {
        let row = try user.row()
        guard row.id <= through else { return true }
        user.withTexts { body(row, $0, $1) }
        users.count += 1
        users.last = row.id
        return users.count == limit
      } catch {
        failure = error
        return true
      }
    }
  }
}
