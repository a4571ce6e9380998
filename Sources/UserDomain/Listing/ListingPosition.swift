/// A position in a listing: right after one user, by what orders the listing.
public enum ListingPosition: Hashable, Sendable {
  /// In the order of creation, the user's place (``UserPlace``); in the order of ids, its id.
  case id(UserID)
  /// In the order of addresses or names, the user's key and id.
  case text(String, UserID)
  /// In the order of the last change, the time of the user's and its id.
  case time(Timestamp, UserID)

  /// Whether it can be a position in a listing of this order.
  func isOf(_ order: UserFilter.Order) -> Bool {
    switch (self, order) {
    case (.id, .creation), (.id, .label), (.id, .inactive), (.text, .email), (.text, .name), (.time, .update):
      true
    case (.id, _), (.text, _), (.time, _): false
    }
  }
}

/// The extent of a read of several users.
public struct UsersRead: Hashable, Sendable {
  /// The number of users.
  public var count = 0
  /// The position after the last user that the read has looked at; nil if there was none.
  public var position: ListingPosition?
  /// Whether no users follow.
  public var isOver = false

  /// Creates the extent of a read without users.
  public init() {}
}
