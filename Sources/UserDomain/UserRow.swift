/// The columns of a stored user with a fixed size. ``UserReader`` gets the texts beside it.
public struct UserRow: Hashable, Sendable {
  /// The user's id.
  public let id: UserID
  /// Whether the user may use the service.
  public let status: UserStatus
  /// When the store accepted the user.
  public let createdAt: Timestamp

  /// Creates a row from its parts.
  public init(id: UserID, status: UserStatus, createdAt: Timestamp) {
    self.id = id
    self.status = status
    self.createdAt = createdAt
  }
}

/// Takes a user as a read finds it in the store. The texts are not copied: they are lent for the call, and a span
/// cannot outlive it.
public typealias UserReader = (_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) -> Void

/// The extent of a read of several users.
public struct UsersRead: Hashable, Sendable {
  /// The number of users.
  public var count = 0
  /// The id of the last user; nil if there was none.
  public var last: UserID?

  /// Creates the extent of a read without users.
  public init() {}
}

extension User {
  /// Creates a copy of a user that a read lends.
  public init(_ row: UserRow, email: UTF8Span, name: UTF8Span) {
    self.init(
      id: row.id, email: EmailAddress(trusted: String(copying: email)),
      name: UserName(trusted: String(copying: name)), status: row.status, createdAt: row.createdAt)
  }

  /// Calls `body` with the user as a read would lend it.
  public func withRow<Result>(
    _ body: (_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) throws -> Result
  ) rethrows -> Result {
    let (email, name) = (email.address, name.text)
    let row = UserRow(id: id, status: status, createdAt: createdAt)
    return try body(row, email.utf8Span, name.utf8Span)
  }
}
