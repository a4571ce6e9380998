import GRDB
import UserDomain
import UserStore

extension UserWriteStatements {
  /// Stores a user as another system had it.
  func importUser(_ row: ForeignUser) throws(DatabaseError) -> Result<UserImport, UserError> {
    let now = clock()
    let id = newID(of: row, at: now)
    let comesBack = row.id == nil ? false : try sessions.isRetired(id)
    let imported = ImportedUser(row, id: id, comesBack: comesBack, at: now)
    // Otherwise a listing would take two users for one.
    if row.id != nil, try reads.isTaken(id, place: imported.place) { return try outcome(of: row) }
    let record = UserRecord(
      user: imported.user, place: imported.place, passwordHash: imported.passwordHash)
    guard try inserts.insert(record) else { return try outcome(of: row) }
    if imported.place == nil { noteID(id) }
    if imported.renewsTokens { try sessions.renewTokens(of: imported.user) }
    if imported.endsTokens { try sessions.endTokens(of: imported.user) }
    return .success(UserImport(id: id, wasStored: false))
  }

  /// Returns what becomes of a user whose id, address or place is taken.
  private func outcome(of row: ForeignUser) throws(DatabaseError) -> Result<UserImport, UserError> {
    var idHolder: User?
    if let id = row.id { idHolder = try reads.user(id: id) }
    return try row.outcomeIfTaken(idHolder: idHolder) { () throws(DatabaseError) in
      try reads.user(emailKey: row.email.uniquenessKey)
    }
  }
}
