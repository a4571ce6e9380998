import GRDB
import UserDomain

/// A page of users that is being read: decides about each user that an index leads to.
final class UserPage {
  /// The number of users that one read looks at: so many take a millisecond.
  static let looks = 1_000

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
  /// The key of the last user, where the walk is by texts.
  private var lastText: [UInt8] = []
  private var last: (id: UserID, time: Timestamp)?

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

  /// The position after the last user that was looked at.
  var position: ListingPosition? {
    guard let last else { return nil }
    switch walk {
    case .ids, .places, .indexedIDs: return .id(last.id)
    case .texts: return .text(String(decoding: lastText, as: UTF8.self), last.id)
    case .times: return .time(last.time, last.id)
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

  /// Whether the walk is by ids that are places.
  private var isByIDs: Bool { if case .ids = walk { true } else { false } }

  /// Takes the next user. Returns whether the read ends before another.
  ///
  /// - Parameters:
  ///   - place: the user's place; NULL if that is its id.
  ///   - key: what the walk is by; NULL if that is an id or a place.
  func take(_ user: StoredUser, place: SQLiteValue, key: SQLiteValue) -> Bool {
    do throws(DatabaseError) {
      return try looked(at: user, place, key)
    } catch {
      failure = error
      return true
    }
  }

  private func looked(
    at user: StoredUser, _ place: SQLiteValue, _ key: SQLiteValue
  ) throws(DatabaseError) -> Bool {
    let row = try user.row()
    let isPlaced = !place.isNull
    let rank = isPlaced ? try place.id() : row.id
    if hasLeft(row, rank, key) {
      hasEnded = true
      return true
    }
    note(row, rank, key)
    looks += 1
    if !(isPlaced && isByIDs), rank <= through, query.showsDeleted || row.deletion == nil {
      user.withTexts { email, name in
        if hasConditions, !query.filter.passes(row, name: name) { return }
        body(row, email, name)
        count += 1
      }
    }
    return count == limit || looks == Self.looks
  }

  /// Returns whether the walk has left the range that the query is about.
  private func hasLeft(_ row: UserRow, _ rank: UserID, _ key: SQLiteValue) -> Bool {
    switch walk {
    case .ids(let end): row.id > through || end.map { row.id >= $0 } ?? false
    case .places(let end): rank > through || end.map { rank >= $0 } ?? false
    case .texts(let match): !match.matches(bytes: key.utf8)
    case .times: query.filter.updated.map { row.updatedAt.microsecondsSinceEpoch > $0.upperBound } ?? false
    case .indexedIDs: false
    }
  }

  private func note(_ row: UserRow, _ rank: UserID, _ key: SQLiteValue) {
    switch walk {
    case .places: last = (rank, row.updatedAt)
    case .texts:
      lastText.removeAll(keepingCapacity: true)
      lastText.append(contentsOf: key.utf8)
      last = (row.id, row.updatedAt)
    case .ids, .times, .indexedIDs: last = (row.id, row.updatedAt)
    }
  }
}

extension UserFilter.TextMatch {
  /// Returns whether a stored key meets the condition. ASCII letters of names are stored in either case.
  fileprivate func matches(bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    let wanted = text.utf8
    if case .whole = self, bytes.count != wanted.count { return false }
    return bytes.count >= wanted.count && zip(bytes, wanted).allSatisfy { Self.lowerCase($0) == $1 }
  }

  private static func lowerCase(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }
}
