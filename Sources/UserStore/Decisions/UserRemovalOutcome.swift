package import UserDomain

/// The decision about the deletion of a user: what its transaction stores.
package enum UserRemovalOutcome: Hashable, Sendable {
  /// The user is deleted already, and stays as it is.
  case unchanged(User)
  /// The user's deletion and version are stored, the records of its creation are deleted, and its tokens end.
  case delete(User)
  /// The user is erased with everything that belongs to it. The value is the user as the caller sees it last.
  case erase(User)

  /// Decides about a deletion at `now`, whose authority was checked.
  ///
  /// - Parameters:
  ///   - stored: the user with the id, deleted or not; nil if it is unknown.
  ///   - passwordHash: the hash of its password, which is looked at only if `write` has a proven one.
  /// - Returns: the outcome; or `UserError.notFound`, `.versionMismatch` or `.wrongCurrentPassword`.
  package static func decide(
    _ id: UserID, stored: User?, passwordHash: PasswordHash?, _ removal: UserRemoval, _ write: UserWrite,
    now: Timestamp
  ) -> Result<UserRemovalOutcome, UserError> {
    guard let stored else { return .failure(.notFound(id.description)) }
    if stored.deletion != nil, case .soft(_, let allowsDeleted) = removal {
      return allowsDeleted ? .success(.unchanged(stored)) : .failure(.notFound(id.description))
    }
    if let fault = write.fault(stored, passwordHash: passwordHash) { return .failure(fault) }
    let time = stored.timeOfChange(at: now)
    switch removal {
    case .soft(let retention, _):
      let deletion = UserDeletion(deletedAt: time, purgeAt: time + retention)
      return .success(.delete(stored.with(deletion: deletion, updatedAt: time)))
    case .expunge:
      let deletion = UserDeletion(deletedAt: stored.deletion?.deletedAt ?? time, purgeAt: time)
      return .success(.erase(stored.with(deletion: deletion, updatedAt: time)))
    }
  }
}

extension UserWrite {
  /// Decides about making a deleted user one that is not, at `now`; the authority was checked. The user that is returned
  /// is stored, and may get new tokens (``TokenChange/readmit``).
  ///
  /// - Parameter stored: the user with the id, deleted or not; nil if it is unknown.
  /// - Returns: the user as restored; or `UserError.notFound`, `.notDeleted` or `.versionMismatch`.
  package func undelete(_ id: UserID, stored: User?, now: Timestamp) -> Result<User, UserError> {
    guard let stored else { return .failure(.notFound(id.description)) }
    guard stored.deletion != nil else { return .failure(.notDeleted) }
    if let version, version != stored.version { return .failure(.versionMismatch) }
    return .success(stored.with(deletion: nil, updatedAt: stored.timeOfChange(at: now)))
  }
}

/// The tokens of users that are erased.
package enum RetiredTokens {
  /// The retention of an erased user's epoch: as long as any token may be valid, by any clock.
  package static let retention = AccessTokenClaims.longestLifetime + .seconds(86_400)

  /// Returns a user that is erased at `now` as the revocation list learns of it.
  package static func lastState(of user: User, at now: Timestamp) -> User {
    user.with(deletion: UserDeletion(deletedAt: now, purgeAt: now), updatedAt: now)
  }
}
