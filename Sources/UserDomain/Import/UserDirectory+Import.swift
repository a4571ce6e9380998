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
    if let id = user.id {
      var email: EmailAddress?
      _ = try repository.readUser(id: id, showsDeleted: true) { _, text, _ in
        email = EmailAddress(trusted: String(copying: text))
      }
      if let email {
        guard email.uniquenessKey == user.email.uniquenessKey else { throw .idTaken }
        return UserImport(id: id, wasStored: true)
      }
    }
    var owner: UserID?
    _ = try repository.readUser(email: user.email, showsDeleted: true) { row, _, _ in owner = row.id }
    guard let owner else { return nil }
    guard user.id == nil else { throw .emailAlreadyRegistered }
    return UserImport(id: owner, wasStored: true)
  }
}
