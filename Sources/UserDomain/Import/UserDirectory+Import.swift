extension UserDirectory {
  /// Validates a row of an import.
  ///
  /// - Throws: `UserError.invalid`.
  public func importDraft(_ row: ImportRow) throws(UserError) -> ImportDraft {
    try ImportDraft(row, at: .now, hasher)
  }

  /// Returns the user of a draft, its password hashed, so that it can be stored.
  ///
  /// - Throws: errors of the hasher.
  public func prepare(_ draft: ImportDraft, for requester: HashRequester) async throws(UserError)
    -> ForeignUser
  {
    var user = draft.user
    if let password = draft.password { user.passwordHash = try await hasher.hash(password, for: requester) }
    return user
  }

  /// Checks whether the user of a draft could be stored now. Returns its import if it is stored already.
  ///
  /// - Throws: `UserError.emailAlreadyRegistered`, `.idTaken`, and errors of the store.
  public func check(_ draft: ImportDraft) async throws(UserError) -> UserImport? {
    let user = draft.user
    var stored: User?
    if let id = user.id {
      _ = try await repository.readUser(id: id, showsDeleted: true) {
        stored = User($0, email: $1, name: $2)
      }
      if let stored {
        guard stored.email.uniquenessKey == user.email.uniquenessKey else { throw .idTaken }
        return try user.outcome(asStored: stored).get()
      }
    }
    _ = try await repository.readUser(email: user.email, showsDeleted: true) {
      stored = User($0, email: $1, name: $2)
    }
    guard let stored else { return nil }
    guard user.id == nil else { throw .emailAlreadyRegistered }
    return try user.outcome(asStored: stored).get()
  }
}
