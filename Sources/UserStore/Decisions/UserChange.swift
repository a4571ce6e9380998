package import UserDomain

/// What a change of a user does to the user's tokens.
package enum TokenChange: Hashable, Sendable {
  /// The tokens stay as they are.
  case none
  /// Every token and session is revoked: a new epoch begins.
  case end
  /// The user may sign in again and get new tokens; the old ones stay revoked.
  case readmit
}

/// The decision about an update of a user: what its transaction stores.
package struct UserChange: Hashable, Sendable {
  /// The user as changed. Its version is that of before if ``changesUser`` is false.
  package let user: User
  /// Whether the user's row changes: a value of it, or its version, as by a new password.
  package let changesUser: Bool
  /// Whether the address or the name, by which users are found, change.
  package let changesTexts: Bool
  /// The labels by which the user is no longer found; they come before ``addedLabels``, which may have some of them.
  package let removedLabels: UserLabels
  /// The labels by which the user is found from then on.
  package let addedLabels: UserLabels
  /// The change of the password; nil: none.
  package let password: UserChanges.PasswordChange?
  /// Whether the counts of failures at the user's account are reset.
  package let resetsFailures: Bool
  /// What happens to the user's tokens.
  package let tokens: TokenChange

  /// Whether the records of the user's creation are deleted: retries can no longer be compared with its password.
  package var forgetsRequests: Bool { password != nil }

  /// Decides about an update at `now`, whose authority was checked.
  ///
  /// The address may be taken, which only storing it shows: `UserError.emailAlreadyRegistered`.
  ///
  /// - Parameters:
  ///   - stored: the user with the id, deleted or not; nil if it is unknown.
  ///   - passwordHash: the hash of its password, which is looked at only if `write` has a proven one.
  /// - Returns: the change; or `UserError.notFound`, `.versionMismatch` or `.wrongCurrentPassword`.
  package static func decide(
    _ id: UserID, stored: User?, passwordHash: PasswordHash?, _ changes: UserChanges, _ write: UserWrite,
    now: Timestamp
  ) -> Result<UserChange, UserError> {
    guard let stored, stored.deletion == nil else { return .failure(.notFound(id.description)) }
    if let fault = write.fault(stored, passwordHash: passwordHash) { return .failure(fault) }
    return .success(UserChange(of: stored, changes, by: write.authority, now: now))
  }

  private init(of stored: User, _ changes: UserChanges, by authority: WriteAuthority?, now: Timestamp) {
    let same = stored.with(changes, updatedAt: stored.updatedAt)
    // A user that stays as it is keeps its version.
    changesUser = same != stored || changes.password != nil
    user = changesUser ? stored.with(changes, updatedAt: stored.timeOfChange(at: now)) : stored
    changesTexts = user.email != stored.email || user.name != stored.name
    let changesLabels = user.labels != stored.labels
    removedLabels = changesLabels ? stored.labels : UserLabels()
    addedLabels = changesLabels ? user.labels : UserLabels()
    password = changes.password
    // A new password has had no guesses. A user that another caller activates may sign in again.
    let isActivated = changes.status == .active && (changes.unlocks || stored.status != .active)
    resetsFailures = password != nil || (isActivated && authority?.bearer?.userID != stored.id)
    tokens =
      if password != nil || changes.status == .inactive {
        .end
      } else if changes.status == .active {
        .readmit
      } else {
        .none
      }
  }
}

extension UserWrite {
  /// Returns the reason why a change of `stored` does not meet the conditions, except for the authority; nil if it does.
  ///
  /// The password must be the one that was proven. A hash that a sign-in has upgraded meanwhile is another one, too.
  ///
  /// - Parameter passwordHash: the hash of the user's password, which is looked at only if a hash was proven.
  package func fault(_ stored: User, passwordHash: PasswordHash?) -> UserError? {
    if let version, version != stored.version { return .versionMismatch }
    if let provenHash, provenHash != passwordHash { return .wrongCurrentPassword }
    return nil
  }
}

extension User {
  /// Returns the time of a change that happens at `now`: later than the last one, whatever the clock says.
  package func timeOfChange(at now: Timestamp) -> Timestamp {
    max(now, Timestamp(microsecondsSinceEpoch: updatedAt.microsecondsSinceEpoch + 1))
  }
}
