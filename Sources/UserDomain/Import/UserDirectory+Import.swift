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
  /// - Throws: `UserError.emailAlreadyRegistered`, `.idTaken`, `.storage`.
  public func check(_ draft: ImportDraft) throws(UserError) -> UserImport? {
    let user = draft.user
    var owner: UserID?
    _ = try repository.readUser(email: user.email, showsDeleted: true) { row, _, _ in owner = row.id }
    if let owner {
      guard user.id == nil || user.id == owner else { throw .emailAlreadyRegistered }
      return UserImport(id: owner, wasStored: true)
    }
    if let id = user.id, try repository.readUser(id: id, showsDeleted: true, { _, _, _ in }) {
      throw .idTaken
    }
    return nil
  }
}
