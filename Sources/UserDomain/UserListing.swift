/// A walk over users by ascending id, one page at a time (keyset pagination).
///
/// It ends at the newest user there was when it began, so it ends although users keep arriving. Each page is
/// a read of its own: nothing is held between pages, and a page shows users as they are when it is read.
public struct UserListing: Sendable {
  /// The rows that one page may have.
  public static let pageSizes = 1...1_000

  private let repository: any UserRepository
  private let last: UserID?
  private let pageSize: Int
  private var position: UserID?

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

  /// The next page, or nil after the last.
  ///
  /// - Throws: `UserError.storage`; the walk may go on with another call.
  public mutating func nextPage() throws(UserError) -> [User]? {
    guard let last, position.map({ $0 < last }) ?? true else { return nil }
    let page = try repository.users(after: position, through: last, limit: pageSize)
    guard let end = page.last else {
      position = last
      return nil
    }
    // A short page is the last one: the next read would find nothing.
    position = page.count < pageSize ? last : end.id
    return page
  }
}
