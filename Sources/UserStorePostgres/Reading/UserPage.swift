import UserDomain
import UserStore

/// A page of users that is being read: which rows to ask for next, and which of them it takes.
struct UserPage {
  private let query: UserQuery
  private let through: UserID
  private let limit: Int
  private var start: Start
  private var looks = 0
  private(set) var read = UsersRead()
  /// The rows to ask for next.
  private var request: Int

  /// Where the next rows begin, in the order of the query.
  private enum Start {
    case place(UserID, through: UserID)
    case text(Statement, [UInt8], UserID, UserFilter.TextMatch)
    case time(Int64, UserID, through: Int64)
    case inactive(UserID)
    case label(String, String, UserID)
  }

  private static let beginning = UserID(high: 0, low: 0)

  init(_ query: UserQuery, after: ListingPosition?, through: UserID, limit: Int) {
    self.query = query
    self.through = through
    self.limit = limit
    // One more row shows whether the index has ended.
    request = min(limit + 1, UsersRead.looks)
    start = Self.start(query.filter, after, through)
  }

  private static func start(_ filter: UserFilter, _ after: ListingPosition?, _ through: UserID) -> Start {
    switch filter.order {
    case .creation: return creation(filter, after, through)
    case .email(let match): return text(PageStatements.byEmail, match, after)
    case .name(let match): return text(PageStatements.byName, match, after)
    case .inactive: return .inactive(after?.id ?? beginning)
    case .label(let key, let value): return .label(key, value, after?.id ?? beginning)
    case .update:
      let end = filter.updated?.upperBound ?? .max
      guard case .time(let time, let id) = after else {
        return .time(filter.updated?.lowerBound ?? .min, beginning, through: end)
      }
      return .time(time.microsecondsSinceEpoch, id, through: end)
    }
  }

  private static func creation(
    _ filter: UserFilter, _ after: ListingPosition?, _ through: UserID
  ) -> Start {
    guard let created = filter.created else { return .place(after?.id ?? beginning, through: through) }
    let first = UserPlace.first(at: Timestamp(microsecondsSinceEpoch: created.lowerBound))
    let last = UserPlace.last(at: Timestamp(microsecondsSinceEpoch: created.upperBound))
    return .place(max(after?.id ?? beginning, first), through: min(through, last))
  }

  private static func text(
    _ statement: Statement, _ match: UserFilter.TextMatch, _ after: ListingPosition?
  ) -> Start {
    guard case .text(let text, let id) = after else {
      return .text(statement, Array(match.text.utf8), beginning, match)
    }
    return .text(statement, Array(text.utf8), id, match)
  }

  /// What to ask for next; nil when the page is complete.
  var next: Command? {
    if read.isOver || read.count == limit || looks == UsersRead.looks { return nil }
    let count = SQLValue.integer(Int64(request))
    switch start {
    case .place(let id, let through):
      return Command(PageStatements.byCreation, .id(id), count, .id(through))
    case .text(let statement, let key, let id, _):
      return Command(statement, .id(id), count, .bytes(key))
    case .time(let time, let id, _):
      return Command(PageStatements.byUpdate, .id(id), count, .integer(time))
    case .inactive(let id): return Command(PageStatements.inactive, .id(id), count)
    case .label(let key, let value, let id):
      return Command(PageStatements.byLabel, .id(id), count, .text(key), .text(value))
    }
  }

  /// Takes the rows that were asked for, and calls `body` with those that are listed.
  mutating func take(_ rows: QueryResult, _ body: UserReader) throws(PostgresFailure) {
    let count = rows.count
    for row in 0..<count {
      if read.count == limit || looks == UsersRead.looks { return }
      let user = try rows.userRow(row)
      let place = rows.id(row, UserColumns.count) ?? user.id
      guard advance(to: user, place, rows, row) else {
        read.isOver = true
        return
      }
      looks += 1
      if user.deletion != nil, !query.showsDeleted { continue }
      if place > through { continue }
      if lend(rows, row, user, body) { read.count += 1 }
    }
    if count < request { read.isOver = true }
    // A filter that few users pass gets more rows at once.
    request = min(4 * request, UsersRead.looks - looks + 1)
  }

  private func lend(_ rows: QueryResult, _ row: Int, _ user: UserRow, _ body: UserReader) -> Bool {
    var passes = true
    rows.lendUser(row, user) { user, email, name in
      passes = query.filter.isEmpty || query.filter.passes(user, name: name)
      if passes { body(user, email, name) }
    }
    return passes
  }

  /// Records the position of a row; returns false if it is outside of the range that the query is about.
  private mutating func advance(
    to user: UserRow, _ place: UserID, _ rows: QueryResult, _ row: Int
  ) -> Bool {
    switch start {
    case .place(_, let through):
      start = .place(place, through: through)
      read.position = .id(place)
    case .text(let statement, _, _, let match):
      let key = rows.blob(row, UserColumns.count + 1)
      guard match.matches(key) else { return false }
      start = .text(statement, key, user.id, match)
      read.position = .text(String(decoding: key, as: UTF8.self), user.id)
    case .time(_, _, let end):
      let time = user.updatedAt.microsecondsSinceEpoch
      guard time <= end else { return false }
      start = .time(time, user.id, through: end)
      read.position = .time(user.updatedAt, user.id)
    case .inactive:
      start = .inactive(user.id)
      read.position = .id(user.id)
    case .label(let key, let value, _):
      start = .label(key, value, user.id)
      read.position = .id(user.id)
    }
    return true
  }
}

extension UserFilter.TextMatch {
  /// Returns whether a stored key meets the condition.
  fileprivate func matches(_ key: [UInt8]) -> Bool {
    switch self {
    case .whole(let text): key.elementsEqual(text.utf8)
    case .prefix(let text): key.starts(with: text.utf8)
    }
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
