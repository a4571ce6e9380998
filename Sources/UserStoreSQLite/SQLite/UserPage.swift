import GRDB
import UserDomain
import UserStore

/// A page of users that is being read: decides about each user that an index leads to.
final class UserPage {

  /// What an index leads to, in its order.
  enum Walk {
    /// The users from the greatest one before, by ids that are places, up to the one before `end`.
    case ids(end: UserID?)
    /// The users by places that are not their ids, up to the one before `end`.
    case places(end: UserID?)
    /// The users by an address or a name.
    case texts(UserFilter.TextMatch)
    /// The users by the time of their last change.
    case times
    /// The users of an index with nothing but ids.
    case indexedIDs
  }

  private let query: UserQuery
  private let hasConditions: Bool
  private let through: UserID
  private let limit: Int
  private let body: UserReader
  private let walk: Walk
  /// The number of users that the read has looked at.
  private(set) var looks = 0
  /// The number of users that `body` was called with.
  private(set) var count = 0
  /// Whether the index leads to no more users that the query is about.
  private(set) var hasEnded = false
  private(set) var failure: DatabaseError?
  /// What the last user is in the walk's order.
  private var lastID = UserID(high: 0, low: 0)
  private var lastTime = Timestamp(microsecondsSinceEpoch: 0)
  private var lastText: [UInt8] = []

  init(
    _ query: UserQuery, _ walk: Walk, through: UserID, limit: Int, _ body: @escaping UserReader
  ) {
    self.query = query
    self.walk = walk
    self.through = through
    self.limit = limit
    self.body = body
    hasConditions = !query.filter.isEmpty
  }

  /// The position after the last user that was looked at; nil if there was none.
  var position: ListingPosition? {
    if looks == 0 { return nil }
    switch walk {
    case .ids, .places, .indexedIDs: return .id(lastID)
    case .texts: return .text(String(decoding: lastText, as: UTF8.self), lastID)
    case .times: return .time(lastTime, lastID)
    }
  }

  /// What was read.
  var read: UsersRead {
    var read = UsersRead()
    (read.count, read.position, read.isOver) = (count, position, hasEnded)
    return read
  }

  /// Records that the index has no more users.
  func indexEnded() { hasEnded = true }

  /// Takes the next user. Returns whether the read ends before another.
  ///
  /// - Parameters:
  ///   - place: the user's place; NULL if that is its id.
  ///   - key: what the walk is by; NULL if that is an id or a place.
  func take(_ user: StoredUser, place: SQLiteValue, key: SQLiteValue) -> Bool {
    do throws(DatabaseError) {
      let row = try user.row()
      let other = place.isNull ? nil : try place.id()
      guard note(row, other, key) else {
        hasEnded = true
        return true
      }
      looks += 1
      if isListed(row, other), user.withTexts({ lend(row, $0, $1) }) { count += 1 }
      return count == limit || looks == UsersRead.looks
    } catch {
      failure = error
      return true
    }
  }

  /// Calls the body with a user that passes the filter. Returns whether it does.
  private func lend(_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) -> Bool {
    if hasConditions, !query.filter.passes(row, name: name) { return false }
    body(row, email, name)
    return true
  }

  /// Returns whether a user is listed if it passes the filter.
  private func isListed(_ row: UserRow, _ place: UserID?) -> Bool {
    if row.deletion != nil, !query.showsDeleted { return false }
    guard let place else { return row.id <= through }
    // A walk by ids leads to it where it does not belong.
    if case .ids = walk { return false }
    return place <= through
  }

  /// Records what a user is in the walk's order, unless the walk has left the range that the query is about; then it
  /// returns false.
  private func note(_ row: UserRow, _ place: UserID?, _ key: SQLiteValue) -> Bool {
    let rank = place ?? row.id
    switch walk {
    case .ids(let end):
      guard row.id <= through, end.map({ row.id < $0 }) ?? true else { return false }
      lastID = row.id
    case .places(let end):
      guard rank <= through, end.map({ rank < $0 }) ?? true else { return false }
      lastID = rank
    case .texts(let match):
      guard match.matches(bytes: key.utf8) else { return false }
      lastText.removeAll(keepingCapacity: true)
      lastText.append(contentsOf: key.utf8)
      lastID = row.id
    case .times:
      let last = query.filter.updated?.upperBound ?? .max
      guard row.updatedAt.microsecondsSinceEpoch <= last else { return false }
      (lastID, lastTime) = (row.id, row.updatedAt)
    case .indexedIDs: lastID = row.id
    }
    return true
  }
}

extension UserFilter.TextMatch {
  /// Returns whether a stored key meets the condition.
  fileprivate func matches(bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    switch self {
    case .whole(let text): bytes.elementsEqual(text.utf8)
    case .prefix(let text): bytes.starts(with: text.utf8)
    }
  }
}
