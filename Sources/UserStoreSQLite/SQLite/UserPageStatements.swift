import GRDB
import GRDBSQLite
import UserDomain
import UserStore

/// The statements that read a page of users, each in one step: SQLite calls an SQL function for each row.
///
/// To step to each row and to ask for each of its columns would take SQLite half as long again.
struct UserPageStatements {
  /// By ids, in the order of the table.
  static let byIDSQL = sql("users", "id > ?1", key: "NULL", order: "id")
  /// By the places that are not ids.
  static let byPlaceSQL = sql("users", "place > ?1", key: "NULL", order: "place")
  static let byEmailSQL = sql("users", "(email_key, id) > (?2, ?1)", key: "email_key", order: "email_key, id")
  static let byNameSQL = sql(
    "users", "name <> '' AND (searched_name, id) > (?2, ?1)", key: "searched_name", order: "searched_name, id"
  )
  static let byUpdateSQL = sql("users", "(changed_at, id) > (?2, ?1)", key: "NULL", order: "changed_at, id")
  static let inactiveSQL = sql("users", "status = 2 AND id > ?1", key: "NULL", order: "id")
  static let byLabelSQL = sql(
    "user_labels CROSS JOIN users ON users.id = user_id", "key = ?2 AND value = ?3 AND user_id > ?1",
    key: "NULL",
    order: "user_id")
  static let firstPlaceSQL = "SELECT place FROM users WHERE place > ?1 ORDER BY place LIMIT 1"
  /// Ids, and whether each is its user's place.
  static let nextIDSQL = "SELECT id, place IS NULL FROM users WHERE id > ?1 AND id <= ?2 ORDER BY id"

  /// A query that tests users until the function returns true. `?1` is an id.
  private static func sql(_ tables: String, _ range: String, key: String, order: String) -> String {
    """
    SELECT 1 FROM \(tables) WHERE \(range)
    AND \(functionName)(\(key), place, \(StoredUser.columns)) ORDER BY \(order)
    """
  }

  private static let functionName = "user_service_take_user"
  /// The arguments before the user's columns: the key and the place.
  private static let firstColumn = 2

  /// Where the function finds the page that a statement reads; nil while none runs.
  ///
  /// Not an argument of the function, whose type SQLite would compare as text for each row.
  private let current: CurrentPage
  typealias CurrentPage = UnsafeMutablePointer<Unmanaged<LentPage>?>

  private let byID: PreparedStatement
  private let byPlace: PreparedStatement
  private let byEmail: PreparedStatement
  private let byName: PreparedStatement
  private let byUpdate: PreparedStatement
  private let inactive: PreparedStatement
  private let byLabel: PreparedStatement
  private let firstPlace: PreparedStatement
  private let nextID: PreparedStatement

  /// Defines the function and compiles the statements.
  init(_ connection: SQLiteConnection) throws(DatabaseError) {
    // SQLITE_NOMEM; SQLITE_BUSY only if the function is defined again while a statement runs.
    current = try connection.withDatabase { database in
      Result { () throws(DatabaseError) in try Self.defineFunction(on: database) }
    }.get()
    byID = try connection.prepare(Self.byIDSQL)
    byPlace = try connection.prepare(Self.byPlaceSQL)
    byEmail = try connection.prepare(Self.byEmailSQL)
    byName = try connection.prepare(Self.byNameSQL)
    byUpdate = try connection.prepare(Self.byUpdateSQL)
    inactive = try connection.prepare(Self.inactiveSQL)
    byLabel = try connection.prepare(Self.byLabelSQL)
    firstPlace = try connection.prepare(Self.firstPlaceSQL)
    nextID = try connection.prepare(Self.nextIDSQL)
  }

  /// Defines the function, which no schema may call. Returns where it finds its page: memory that is released with the
  /// connection.
  static func defineFunction(on database: Database) throws(DatabaseError) -> CurrentPage {
    let current = CurrentPage.allocate(capacity: 1)
    current.initialize(to: nil)
    let code = sqlite3_create_function_v2(
      database.sqliteConnection, functionName, Int32(firstColumn + StoredUser.columnCount),
      SQLITE_UTF8 | SQLITE_DIRECTONLY, current,
      { context, _, arguments in
        let current = sqlite3_user_data(context)!.assumingMemoryBound(to: Unmanaged<LentPage>?.self)
        guard let page = current.pointee, let arguments else {
          return sqlite3_result_error_code(context, SQLITE_MISUSE)
        }
        let isOver = page._withUnsafeGuaranteedRef { $0.take(arguments) }
        sqlite3_result_int(context, isOver ? 1 : 0)
      }, nil, nil, { $0?.deallocate() })
    // SQLite releases the memory also after a failure.
    if code != SQLITE_OK { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    return current
  }

  /// A page, as the function gets it.
  final class LentPage {
    private let page: UserPage
    private let hasUTF8: Bool

    fileprivate init(_ page: UserPage, hasUTF8: Bool) {
      self.page = page
      self.hasUTF8 = hasUTF8
    }

    /// Takes the user in the function's arguments. Returns whether the read ends.
    fileprivate func take(_ arguments: UnsafeMutablePointer<OpaquePointer?>) -> Bool {
      let user = StoredUser { value(firstColumn + $0, arguments) }
      return page.take(user, place: value(1, arguments), key: value(0, arguments))
    }

    private func value(_ index: Int, _ arguments: UnsafeMutablePointer<OpaquePointer?>) -> SQLiteValue {
      SQLiteValue(arguments[index], isUTF8: hasUTF8)
    }
  }

  /// Calls `body` with at most `limit` users that `query` is about, after the position `after` (nil: from the first) and
  /// with places up to `through`.
  func read(
    _ query: UserQuery, after: ListingPosition?, through: UserID, limit: Int, _ body: UserReader
  ) throws(DatabaseError) -> UsersRead {
    guard limit > 0 else { return UsersRead() }
    return try withoutActuallyEscaping(body) { body throws(DatabaseError) in
      try read(Request(query: query, after: after, through: through, limit: limit, body: body))
    }
  }

  private struct Request {
    let query: UserQuery
    let after: ListingPosition?
    var through: UserID
    let limit: Int
    let body: UserReader

    func page(_ walk: UserPage.Walk, limit: Int? = nil) -> UserPage {
      UserPage(query, walk, through: through, limit: limit ?? self.limit, body)
    }
  }

  private func read(_ request: Request) throws(DatabaseError) -> UsersRead {
    switch request.query.filter.order {
    case .creation: return try readByCreation(request)
    case .email(let match): return try read(request, match, byEmail)
    case .name(let match): return try read(request, match, byName)
    case .inactive: return try step(inactive, request.page(.indexedIDs), after: request.after?.id).read
    case .label(let key, let value):
      try byLabel.bind(key, at: 2)
      try byLabel.bind(value, at: 3)
      return try step(byLabel, request.page(.indexedIDs), after: request.after?.id).read
    case .update:
      var position = (time: request.query.filter.updated?.lowerBound ?? .min, id: UserID?.none)
      if case .time(let time, let id) = request.after { position = (time.microsecondsSinceEpoch, id) }
      try byUpdate.bind(position.time, at: 2)
      return try step(byUpdate, request.page(.times), after: position.id).read
    }
  }

  private func read(
    _ request: Request, _ match: UserFilter.TextMatch, _ statement: PreparedStatement
  ) throws(DatabaseError) -> UsersRead {
    var position = (text: match.text, id: UserID?.none)
    if case .text(let text, let id) = request.after { position = (text, id) }
    try statement.bind(position.text, at: 2)
    return try step(statement, request.page(.texts(match)), after: position.id).read
  }

  /// Runs a statement from the users after `after` on.
  private func step(
    _ statement: PreparedStatement, _ page: UserPage, after: UserID?
  ) throws(DatabaseError) -> UserPage {
    if let after {
      try statement.bind(after, at: 1)
    } else {
      // The empty BLOB sorts before every id.
      try statement.bindEmptyBlob(at: 1)
    }
    let lent = LentPage(page, hasUTF8: statement.hasUTF8)
    current.pointee = .passUnretained(lent)
    defer {
      current.pointee = nil
      statement.reset()
    }
    let isCut = try withExtendedLifetime(lent) { () throws(DatabaseError) in try statement.step() }
    if let failure = page.failure { throw failure }
    if !isCut { page.indexEnded() }
    return page
  }

  // MARK: The order of creation

  /// Reads users in the order of their places: ids, which are the order of the table, and places that are not ids, which
  /// have an index of their own. Mostly there are only ids.
  private func readByCreation(_ request: Request) throws(DatabaseError) -> UsersRead {
    var request = request
    var position = request.after?.id
    if let created = request.query.filter.created {
      let first = UserPlace.first(at: Timestamp(microsecondsSinceEpoch: created.lowerBound))
      position = position.map { max($0, first) } ?? first
      request.through = min(
        request.through, UserPlace.last(at: Timestamp(microsecondsSinceEpoch: created.upperBound)))
    }
    var users = UsersRead()
    var looks = 0
    repeat {
      let place = try firstPlace(after: position)
      let ids = try step(
        byID, request.page(.ids(end: place), limit: request.limit - users.count), after: position)
      users.add(ids)
      position = users.position?.id ?? position
      looks += ids.looks
      guard ids.hasEnded, let place, place <= request.through else {
        users.isOver = ids.hasEnded
        return users
      }
      if users.count == request.limit || looks >= UsersRead.looks { return users }
      let end = try end(after: place, through: request.through)
      let placed = try step(
        byPlace, request.page(.places(end: end), limit: request.limit - users.count), after: position)
      users.add(placed)
      position = users.position?.id ?? position
      looks += placed.looks
      if placed.hasEnded, end.map({ $0 > request.through }) ?? true {
        users.isOver = true
        return users
      }
    } while users.count < request.limit && looks < UsersRead.looks
    return users
  }

  /// Returns the first place after `position` that is not an id.
  private func firstPlace(after position: UserID?) throws(DatabaseError) -> UserID? {
    if let position {
      try firstPlace.bind(position, at: 1)
    } else {
      try firstPlace.bindEmptyBlob(at: 1)
    }
    defer { firstPlace.reset() }
    return try firstPlace.step() ? try firstPlace.id(at: 0) : nil
  }

  /// Returns an id up to which no id after `place` is a place, itself excluded; nil if none is.
  private func end(after place: UserID, through: UserID) throws(DatabaseError) -> UserID? {
    try nextID.bind(place, at: 1)
    try nextID.bind(through, at: 2)
    defer { nextID.reset() }
    var last: UserID?
    for _ in 0..<UsersRead.looks {
      guard try nextID.step() else { return nil }
      last = try nextID.id(at: 0)
      if nextID.integer(at: 1) != 0 { return last }
    }
    return last
  }
}

extension ListingPosition {
  /// The id in the position.
  fileprivate var id: UserID {
    switch self {
    case .id(let id), .text(_, let id), .time(_, let id): id
    }
  }
}

extension UsersRead {
  /// Adds what one of several walks has read.
  fileprivate mutating func add(_ page: UserPage) {
    count += page.count
    position = page.position ?? position
  }
}
