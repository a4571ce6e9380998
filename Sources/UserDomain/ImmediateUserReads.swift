/// A store whose reads of single users never wait: they run on the calling thread and take microseconds, so that an event
/// loop may call them.
///
/// They are the reads of ``UserRepository``, and see the same users. Cancellation does not end them.
public protocol ImmediateUserReads: Sendable {
  /// Calls `body` with the user with this id, unless it is deleted and `showsDeleted` is false. Returns whether it was
  /// called.
  ///
  /// - Throws: `UserError.storage`, `.shuttingDown`, before `body` is called.
  func readUser(id: UserID, showsDeleted: Bool, _ body: UserReader) throws(UserError) -> Bool

  /// Calls `body` with the user with this address in any letter case, unless it is deleted and `showsDeleted` is false.
  /// Returns whether it was called.
  ///
  /// - Throws: `UserError.storage`, `.shuttingDown`, before `body` is called.
  func readUser(email: EmailAddress, showsDeleted: Bool, _ body: UserReader) throws(UserError) -> Bool
}

extension ImmediateUserReads {
  /// Returns the user with this id, or nil if it is unknown or deleted.
  ///
  /// - Throws: `UserError.storage`, `.shuttingDown`.
  public func user(id: UserID) throws(UserError) -> User? {
    var user: User?
    _ = try readUser(id: id, showsDeleted: false) { user = User($0, email: $1, name: $2) }
    return user
  }
}
