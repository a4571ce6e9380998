package import UserDomain

extension NewUser {
  /// Returns the user that is stored with this new id at `now`.
  package func stored(as id: UserID, at now: Timestamp) -> User {
    // The id is ahead of a clock that was set back, and the user's place is its id.
    User(
      id: id, email: email, name: name, status: .active, createdAt: max(now, UserPlace.time(of: id)),
      labels: labels)
  }
}

extension UserIDGenerator {
  /// Returns the id of an imported user: its own, or one of the time of its creation, unless that is still to come.
  package mutating func id(of row: ForeignUser, at now: Timestamp) -> UserID {
    row.id ?? row.createdAt.map { random(at: min($0, now)) } ?? next(at: now)
  }
}

/// An imported user as it is stored, unless its id, its address or its place is taken.
package struct ImportedUser: Hashable, Sendable {
  /// The user.
  package let user: User
  /// The place in the order of creation; nil if that is the id, which must then be counted among the ids of users that
  /// are created here (``UserIDGenerator/advance(past:)``).
  package let place: UserID?
  /// The hash of the password.
  package let passwordHash: PasswordHash?
  /// Whether the user's tokens must continue after those of an erased user with its id.
  package let renewsTokens: Bool

  /// Whether a new epoch begins, because tokens of the user must not be accepted.
  package var endsTokens: Bool { !user.maySignIn }

  /// Creates the stored form of `row` at `now`.
  ///
  /// - Parameters:
  ///   - id: the id that ``UserIDGenerator/id(of:at:)`` gave it.
  ///   - comesBack: whether a user with this id was erased. Only a row with an id of its own can.
  package init(_ row: ForeignUser, id: UserID, comesBack: Bool, at now: Timestamp) {
    let createdAt = row.createdAt ?? (row.id == nil ? max(now, UserPlace.time(of: id)) : now)
    user = User(
      id: id, email: row.email, name: row.name, status: row.status, createdAt: createdAt,
      // A user that was erased had etags, which must not be those of the one that comes back.
      updatedAt: comesBack ? max(now, row.updatedAt ?? createdAt) : row.updatedAt,
      deletion: row.deletion, labels: row.labels)
    place = UserPlace.other(than: id, createdAt: createdAt)
    passwordHash = row.passwordHash
    renewsTokens = comesBack
  }
}

extension ForeignUser {
  /// Returns what becomes of a user whose id, address or place is taken.
  ///
  /// - Parameters:
  ///   - idHolder: the stored user with the row's id; nil if there is none, or the row has no id.
  ///   - addressHolder: returns the stored user with the row's address. It is called only if the outcome depends on it.
  package func outcomeIfTaken<Failure: Error>(
    idHolder: User?, addressHolder: () throws(Failure) -> User?
  ) throws(Failure) -> Result<UserImport, UserError> {
    guard id != nil else {
      guard let stored = try addressHolder() else { return .failure(.idTaken) }
      return outcome(asStored: stored)
    }
    if let idHolder {
      let isSame = idHolder.email.uniquenessKey == email.uniquenessKey
      return isSame ? outcome(asStored: idHolder) : .failure(.idTaken)
    }
    // Otherwise the id is in the place of another user, or the place at its id.
    return .failure(try addressHolder() == nil ? .idTaken : .emailAlreadyRegistered)
  }
}
