import GRDB
import UserDomain

extension UserWriteStatements {
  /// Stores a user as another system had it.
  func importUser(_ row: ForeignUser) throws(DatabaseError) -> Result<UserImport, UserError> {
    let now = clock()
    let id = newID(of: row, at: now)
    let createdAt = row.createdAt ?? (row.id == nil ? max(now, UserPlace.time(of: id)) : now)
    // A user that was erased had etags, which must not be those of the one that comes back.
    let comesBack = row.id == nil ? false : try sessions.isRetired(id)
    let user = User(
      id: id, email: row.email, name: row.name, status: row.status, createdAt: createdAt,
      updatedAt: comesBack ? max(now, row.updatedAt ?? createdAt) : row.updatedAt,
      deletion: row.deletion, labels: row.labels)
    let place = UserPlace.other(than: id, createdAt: createdAt)
    // Otherwise a listing would take two users for one.
    if row.id != nil, try reads.isTaken(id, place: place) { return try outcome(of: row) }
    guard try inserts.insert(UserRecord(user: user, place: place, passwordHash: row.passwordHash)) else {
      return try outcome(of: row)
    }
    if place == nil { noteID(id) }
    if comesBack { try sessions.renewTokens(of: user) }
    if !user.maySignIn { try sessions.endTokens(of: user) }
    return .success(UserImport(id: id, wasStored: false))
  }

  /// Returns what becomes of a user whose id or address is taken.
  private func outcome(of row: ForeignUser) throws(DatabaseError) -> Result<UserImport, UserError> {
    let key = row.email.uniquenessKey
    guard let id = row.id else {
      guard let stored = try reads.user(emailKey: key) else { return .failure(.idTaken) }
      return row.outcome(asStored: stored)
    }
    if let stored = try reads.user(id: id) {
      return stored.email.uniquenessKey == key ? row.outcome(asStored: stored) : .failure(.idTaken)
    }
    // Otherwise the id is in the place of another user, or the place at its id.
    return .failure(try reads.user(emailKey: key) == nil ? .idTaken : .emailAlreadyRegistered)
  }
}
