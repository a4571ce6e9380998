/// A walk over users by ascending id, one page at a time (keyset pagination).
///
/// It ends at the newest user there was when it began, so it ends although users keep arriving. Each page is
/// a read of its own: nothing is held between pages, and a page shows users as they are when it is read.
public struct UserListing: Sendable {
  /// The rows that one page may have.
  public static let pageSizes = 1...1_000

  private let repository: any UserRepository
  private let last: UserID?
  /// The users of each page, but for the last.
  public let pageSize: Int
  private var isOver = false
  /// The last user of the page before; nil before the first page of a walk from the first user.
  public private(set) var position: UserID?

  /// Begins a walk after `after` (nil: at the first user). A `pageSize` outside ``pageSizes`` is brought
  /// inside.
  ///
  /// - Throws: `UserError.storage`.
  public init(repository: any UserRepository, after: UserID?, pageSize: Int) throws(UserError) {
    self.repository = repository
    self.pageSize = min(max(pageSize, Self.pageSizes.lowerBound), Self.pageSizes.upperBound)
    position = after
    last = try repository.newestUserID()
  }

  /// Calls `body` with each user of the next page. Returns whether there is one.
  ///
  /// - Throws: `UserError.storage`, possibly after some users; another call reads the page again.
  public mutating func readNextPage(_ body: UserReader) throws(UserError) -> Bool {
    guard let last, !isOver, position.map({ $0 < last }) ?? true else { return false }
    var count = 0
    var end: UserID?
    try repository.readUsers(after: position, through: last, limit: pageSize) { row, email, name in
      count += 1
      end = row.id
      body(row, email, name)
    }
    // A short page is the last one: the next read would find nothing.
    isOver = count < pageSize
    if let end { position = end }
    return count > 0
  }

  /// The next page, or nil after the last.
  ///
  /// - Throws: `UserError.storage`; another call reads the page again.
  public mutating func nextPage() throws(UserError) -> [User]? {
    var page: [User] = []
    page.reserveCapacity(pageSize)
    return try readNextPage { page.append(User($0, email: $1, name: $2)) } ? page : nil
  }
}
