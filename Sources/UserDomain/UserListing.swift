/// A listing of users by ascending id, one page at a time (keyset pagination).
///
/// It ends at the newest user of its beginning, so it ends although users keep arriving. Each page is a separate read:
/// nothing is held between pages, and a page shows users as they are when it is read.
public struct UserListing: Sendable {
  /// The bounds of a page's row count.
  public static let pageSizes = 1...1_000

  private let repository: any UserRepository
  private let last: UserID?
  /// The number of users on each page except the last.
  public let pageSize: Int
  private var isOver = false
  /// The last user of the previous page; nil before the first page of a listing from the first user.
  public private(set) var position: UserID?

  /// Begins a listing after `after` (nil: at the first user). `pageSize` is clamped to ``pageSizes``.
  ///
  /// - Throws: `UserError.storage`.
  public init(repository: any UserRepository, after: UserID?, pageSize: Int) throws(UserError) {
    self.repository = repository
    self.pageSize = min(max(pageSize, Self.pageSizes.lowerBound), Self.pageSizes.upperBound)
    position = after
    last = try repository.newestUserID()
  }

  /// Calls `body` with each user of the next page. Returns false after the last page.
  ///
  /// - Throws: `UserError.storage`, possibly after some users; another call reads the page again.
  public mutating func readNextPage(_ body: UserReader) throws(UserError) -> Bool {
    guard let last, !isOver, position.map({ $0 < last }) ?? true else { return false }
    let page = try repository.readUsers(after: position, through: last, limit: pageSize, body)
    // A short page is the last one: another read would find nothing.
    isOver = page.count < pageSize
    guard let end = page.last else { return false }
    position = end
    return true
  }

  /// Returns the next page, or nil after the last.
  ///
  /// - Throws: `UserError.storage`; another call reads the page again.
  public mutating func nextPage() throws(UserError) -> [User]? {
    var page: [User] = []
    page.reserveCapacity(pageSize)
    return try readNextPage { page.append(User($0, email: $1, name: $2)) } ? page : nil
  }
}
