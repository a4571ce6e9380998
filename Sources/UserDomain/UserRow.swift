/// A stored user, except its address and its name, which ``UserReader`` gets beside it.
public struct UserRow: Hashable, Sendable {
  /// The user's id.
  public let id: UserID
  /// Whether the user may use the service.
  public let status: UserStatus
  /// When the user was created.
  public let createdAt: Timestamp
  /// When the user was last changed.
  public let updatedAt: Timestamp
  /// When the user was deleted; nil unless it is.
  public let deletion: UserDeletion?
  /// The labels.
  public let labels: UserLabels

  /// Creates a row from its parts.
  public init(
    id: UserID, status: UserStatus, createdAt: Timestamp, updatedAt: Timestamp, deletion: UserDeletion? = nil,
    labels: UserLabels = UserLabels()
  ) {
    self.id = id
    self.status = status
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    self.deletion = deletion
    self.labels = labels
  }
}

/// Takes a user as a read finds it in the store. The texts are not copied: they are lent for the call, and a span
/// cannot outlive it.
public typealias UserReader = (_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) -> Void

extension User {
  /// Creates a copy of a user that a read lends.
  public init(_ row: UserRow, email: UTF8Span, name: UTF8Span) {
    self.init(
      id: row.id, email: EmailAddress(trusted: String(copying: email)),
      name: UserName(trusted: String(copying: name)), status: row.status, createdAt: row.createdAt,
      updatedAt: row.updatedAt, deletion: row.deletion, labels: row.labels)
  }

  /// Calls `body` with the user as a read would lend it.
  public func withRow<Result>(
    _ body: (_ row: UserRow, _ email: UTF8Span, _ name: UTF8Span) throws -> Result
  ) rethrows -> Result {
    let (email, name) = (email.address, name.text)
    let row = UserRow(
      id: id, status: status, createdAt: createdAt, updatedAt: updatedAt, deletion: deletion, labels: labels)
    return try body(row, email.utf8Span, name.utf8Span)
  }
}
