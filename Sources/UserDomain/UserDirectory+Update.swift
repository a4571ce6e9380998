extension UserDirectory {
  /// Changes the fields of a user that are not nil. `authority` is that of the call's token, or nil.
  ///
  /// - Parameter proof: the current password, and whether it is required; nil for a trusted caller.
  /// - Throws: `UserError.invalid`; `.currentPasswordRequired`, `.wrongCurrentPassword`, `.tooManyAttempts` and
  ///   `.signInDisabled` about the current password; errors of the hasher and of `UserRepository.update`.
  public func updateUser(
    _ reference: UserReference, _ update: UserUpdate, by authority: WriteAuthority? = nil,
    proof: PasswordProof? = nil, for requester: HashRequester
  ) async throws(UserError) -> User {
    var draft = try UserUpdateDraft(update, of: reference, proof, policy: passwordPolicy)
    guard let id = reference.id else { throw .notFound(reference.text) }
    var write = UserWrite(version: draft.version, by: authority)
    var user: User?
    if draft.needsApproval {
      // Hashing is expensive, so the user must exist, in the right version.
      let stored = try await self.user(reference)
      write.provenHash = try await approve(&draft, of: stored, proof, for: requester)
      user = stored
    }
    if let password = draft.password {
      draft.changes.password = .replace(try await hasher.hash(password, for: requester))
    } else if update.password != nil {
      draft.changes.password = .remove
    }
    let changes = draft.changes
    guard let user else { return try await repository.update(id, changes, write) }
    return try await change(user, write, draft.currentPassword, proof, for: requester) {
      (write) async throws(UserError) in try await repository.update(id, changes, write)
    }
  }

  /// Checks an update as ``updateUser(_:_:by:proof:for:)`` does, and returns the user as it would be, without storing
  /// anything.
  ///
  /// - Throws: the errors of that method.
  public func checkUpdate(
    _ reference: UserReference, _ update: UserUpdate, proof: PasswordProof?, for requester: HashRequester
  ) async throws(UserError) -> User {
    var draft = try UserUpdateDraft(update, of: reference, proof, policy: passwordPolicy)
    let user = try await user(reference)
    _ = try await approve(&draft, of: user, proof, for: requester)
    if let email = draft.changes.email { try await requireFree(email, except: user.id) }
    return user.with(draft.changes, updatedAt: user.updatedAt)
  }

  /// Checks what depends on the user as stored. Returns the hash that the current password matches, if that was given.
  private func approve(
    _ draft: inout UserUpdateDraft, of user: User, _ proof: PasswordProof?, for requester: HashRequester
  ) async throws(UserError) -> PasswordHash? {
    if let version = draft.version, version != user.version { throw .versionMismatch }
    if let password = draft.password { try check(password, of: user) }
    if let email = draft.changes.email {
      if email != user.email {
        if let violation = draft.emailViolation { throw .invalid([violation]) }
      } else if draft.currentPassword == nil, proof?.isRequired ?? false {
        // Not written: what needs no proof must not undo a change that the user makes meanwhile.
        draft.changes.email = nil
      }
    }
    let isDeactivation = draft.changes.status == .inactive && user.status == .active
    return try await prove(
      draft.currentPassword, of: user, proof,
      isProtected: draft.changesPassword || draft.changes.email.map { $0 != user.email } ?? false
        || isDeactivation,
      for: requester)
  }

  /// Checks a new password against the user's stored address and name.
  private func check(_ password: Password, of user: User) throws(UserError) {
    do {
      try passwordPolicy.check(password, email: user.email, name: user.name)
    } catch {
      throw .invalid([error])
    }
  }

  /// Checks whether the user of a draft could be stored now.
  ///
  /// - Throws: `UserError.emailAlreadyRegistered`, and errors of the store.
  public func check(_ draft: UserDraft) async throws(UserError) {
    try await requireFree(draft.email, except: nil)
  }

  /// Checks that no user has the address, except the one with this id.
  ///
  /// - Throws: `UserError.emailAlreadyRegistered`, and errors of the store.
  func requireFree(_ email: EmailAddress, except user: UserID?) async throws(UserError) {
    var owner: UserID?
    _ = try await repository.readUser(email: email, showsDeleted: true) { row, _, _ in owner = row.id }
    if let owner, owner != user { throw .emailAlreadyRegistered }
  }
}
