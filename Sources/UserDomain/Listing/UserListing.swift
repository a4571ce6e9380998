/// A listing of users, one page at a time (keyset pagination).
///
/// It ends at the newest user of its beginning, so it ends although users keep arriving. Each page is a separate read:
/// nothing is held between pages, and a page shows users as they are when it is read.
public struct UserListing: Sendable {
  /// The bounds of a page's row count.
  public static let pageSizes = 1...1_000

  private let repository: any UserRepository
  private let query: UserQuery
  private let last: UserID?
  /// The number of users on each page; fewer on the last, and on a page of a filter that few users pass.
  public let pageSize: Int
  private var isOver = false
  /// The position after the last user of the previous page; nil before the first page of a listing from the first user.
  public private(set) var position: ListingPosition?

  /// Begins a listing after `after` (nil: at the first user). `pageSize` is clamped to ``pageSizes``.
  ///
  /// - Throws: `UserError.invalid` for a position of another order, and errors of the store.
  public init(
    repository: any UserRepository, query: UserQuery = UserQuery(), after: ListingPosition?, pageSize: Int
  ) async throws(UserError) {
    if let after, !after.isOf(query.filter.order) { throw .invalid([.foreignPageToken]) }
    self.repository = repository
    self.query = query
    self.pageSize = min(max(pageSize, Self.pageSizes.lowerBound), Self.pageSizes.upperBound)
    position = after
    last = try await repository.lastPlace()
  }

  /// Calls `body` with each user of the next page, of which there may be none. Returns false after the last page.
  ///
  /// - Throws: errors of the store, possibly after some users; another call reads the page again.
  public mutating func readNextPage(_ body: UserReader) async throws(UserError) -> Bool {
    guard let last, !isOver else { return false }
    let page = try await repository.readUsers(
      query, after: position, through: last, limit: pageSize, body)
    isOver = page.isOver
    guard let end = page.position else { return false }
    position = end
    return true
  }

  /// Returns the next page, or nil after the last.
  ///
  /// - Throws: errors of the store; another call reads the page again.
  public mutating func nextPage() async throws(UserError) -> [User]? {
    var page: [User] = []
    page.reserveCapacity(pageSize)
    return try await readNextPage { page.append(User($0, email: $1, name: $2)) } ? page : nil
  }
}

/// What a listing is about.
public struct UserQuery: Hashable, Sendable {
  /// The conditions that users meet.
  public var filter: UserFilter
  /// Whether deleted users are listed, too.
  public var showsDeleted: Bool

  /// Creates a query, by default for all users that are not deleted.
  public init(filter: UserFilter = UserFilter(), showsDeleted: Bool = false) {
    self.filter = filter
    self.showsDeleted = showsDeleted
  }
}

extension FieldViolation {
  /// The violation of a page token that was not issued for the same query.
  public static let foreignPageToken = FieldViolation(
    field: "page_token", reason: .malformed,
    description: "must be a page_token from an earlier response to the same filter")
}
