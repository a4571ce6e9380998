/// The look-ups of ``UserDirectory`` in a store that never waits, with the same outcomes and errors.
///
/// A class, so that a call does not copy the store's existential.
public final class ImmediateUserLookups: Sendable {
  private let users: any ImmediateUserReads

  init(_ users: any ImmediateUserReads) {
    self.users = users
  }

  /// Calls `body`, once, with the user that a request names. Errors are thrown before the call.
  ///
  /// - Throws: the errors of ``UserDirectory/readUser(_:showsDeleted:_:)``.
  public func readUser(
    _ reference: UserReference, showsDeleted: Bool = false, _ body: UserReader
  ) throws(UserError) {
    if let id = reference.id, try users.readUser(id: id, showsDeleted: showsDeleted, body) { return }
    throw reference.notFound
  }

  /// Calls `body` with the user that has the address `email`. Returns whether it was called.
  ///
  /// - Throws: the errors of ``UserDirectory/readUser(email:showsDeleted:_:)``.
  public func readUser(
    email: String, showsDeleted: Bool = false, _ body: UserReader
  ) throws(UserError) -> Bool {
    // The text by which a user is found is an address: mostly, nothing has to be checked.
    if try users.readUser(email: EmailAddress(trusted: email), showsDeleted: showsDeleted, body) {
      return true
    }
    guard let address = try EmailAddress.other(than: email) else { return false }
    return try users.readUser(email: address, showsDeleted: showsDeleted, body)
  }
}
