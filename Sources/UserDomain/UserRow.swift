/// A user as a read finds it in the store, with texts that are not copied out of it: lent to whoever reads,
/// while it reads and no longer.
public struct UserRow {
  /// The user's identity.
  public let id: UserID
  /// The address, valid UTF-8.
  public let email: UnsafeBufferPointer<UInt8>
  /// The name, valid UTF-8, possibly empty.
  public let name: UnsafeBufferPointer<UInt8>
  /// Whether the user may use the service.
  public let status: UserStatus
  /// When the store accepted the user.
  public let createdAt: Timestamp

  /// A row of its parts.
  public init(
    id: UserID, email: UnsafeBufferPointer<UInt8>, name: UnsafeBufferPointer<UInt8>, status: UserStatus,
    createdAt: Timestamp
  ) {
    self.id = id
    self.email = email
    self.name = name
    self.status = status
    self.createdAt = createdAt
  }
}

extension User {
  /// The user in `row`, to keep.
  public init(_ row: UserRow) {
    self.init(
      id: row.id, email: EmailAddress(trusted: String(decoding: row.email, as: UTF8.self)),
      name: UserName(trusted: String(decoding: row.name, as: UTF8.self)), status: row.status,
      createdAt: row.createdAt)
  }

  /// Calls `body` with the user as a row.
  public func withRow<Result>(_ body: (UserRow) throws -> Result) rethrows -> Result {
    var (email, name) = (email.address, name.text)
    return try email.withUTF8 { email in
      try name.withUTF8 { name in
        try body(UserRow(id: id, email: email, name: name, status: status, createdAt: createdAt))
      }
    }
  }
}
