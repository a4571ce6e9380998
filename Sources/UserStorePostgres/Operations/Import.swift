import UserDomain
import UserStore

extension WriteOperation<[Result<UserImport, UserError>]> {
  /// Stores users as another system had them.
  static func importUsers(_ users: ArraySlice<ForeignUser>, by authority: WriteAuthority?) -> WriteOperation {
    let check = AuthorityRead(authority)
    var (ids, keys) = (SQLArray(.uuid), SQLArray(.bytea))
    for user in users {
      keys.append(.text(user.email.uniquenessKey))
      guard let id = user.id else { continue }
      ids.append(.id(id))
      // A place by which the id of another may be taken. Without a time of creation it is that of the moment.
      if let createdAt = user.createdAt, let place = UserPlace.other(than: id, createdAt: createdAt) {
        ids.append(.id(place))
      }
    }
    var operation = WriteOperation(decide: { found, context throws(PostgresFailure) in
      var found = found
      if let fault = check.fault(&found) { return .refused(fault) }
      var plan = try ImportPlan(stored: found.popFirst(), retired: found.popFirst(), at: context.clock())
      for user in users { plan.add(user, &context) }
      return plan.write
    })
    operation.isAlone = true
    operation.reads =
      check.commands + [
        Command(ImportStatements.stored, .array(ids), .array(keys)),
        Command(ImportStatements.retired, .array(ids)),
      ]
    return operation
  }
}

/// What becomes of imported users, in their order.
private struct ImportPlan {
  private let now: Timestamp
  private var usersByID: [UserID: User] = [:]
  private var usersByKey: [String: User] = [:]
  private var places: Set<UserID> = []
  private var retired: Set<UserID> = []
  private var rows: [NewUserRow] = []
  private var outcomes: [Result<UserImport, UserError>] = []
  /// The commands about tokens, and the users that they are about.
  private var commands: [Command] = []
  private var revoked: [User] = []

  init(stored: QueryResult?, retired: QueryResult?, at now: Timestamp) throws(PostgresFailure) {
    self.now = now
    if let stored {
      for row in 0..<stored.count {
        let user = try stored.user(row)
        note(user, place: stored.id(row, UserColumns.count), key: stored.text(row, UserColumns.count + 1))
      }
    }
    if let retired {
      for row in 0..<retired.count { self.retired.formUnion(retired.id(row, 0).map { [$0] } ?? []) }
    }
  }

  private mutating func note(_ user: User, place: UserID?, key: String) {
    usersByID[user.id] = user
    usersByKey[key] = user
    places.insert(place ?? user.id)
  }

  mutating func add(_ row: ForeignUser, _ context: inout WriteContext) {
    let key = row.email.uniquenessKey
    let isDecided = row.id == nil && usersByKey[key] != nil
    // An id that is not used is not drawn, so that ids follow the order of what is stored.
    let id = isDecided ? UserID.last : context.id(of: row, at: now)
    let imported = ImportedUser(row, id: id, comesBack: row.id.map { retired.contains($0) } ?? false, at: now)
    if isDecided || isTaken(imported, row) || usersByKey[key] != nil {
      let idHolder = row.id.flatMap { usersByID[$0] }
      return outcomes.append(row.outcomeIfTaken(idHolder: idHolder) { usersByKey[key] })
    }
    note(imported.user, place: imported.place, key: key)
    if imported.place == nil { context.note(id) }
    rows.append(NewUserRow(user: imported.user, place: imported.place, passwordHash: imported.passwordHash))
    outcomes.append(.success(UserImport(id: id, wasStored: false)))
    if imported.renewsTokens {
      add(Command(TokenStatements.renew, .id(id), .time(now), .flag(imported.user.maySignIn)), imported.user)
      retired.remove(id)
    }
    if imported.endsTokens { add(imported.user.endTokens(at: now), imported.user) }
  }

  /// Returns whether the id, or the place, is that of another user.
  private func isTaken(_ imported: ImportedUser, _ row: ForeignUser) -> Bool {
    let place = imported.place ?? imported.user.id
    return usersByID[imported.user.id] != nil || usersByID[place] != nil || places.contains(place)
  }

  private mutating func add(_ command: Command, _ user: User) {
    commands.append(command)
    revoked.append(user)
  }

  var write: PlannedWrite<[Result<UserImport, UserError>]> {
    PlannedWrite(newUsers: rows, commands) { [outcomes, revoked] committed in
      for (index, user) in revoked.enumerated() { committed.noteEpoch(of: user, committed.result(index)) }
      // Everything that could keep a user from being stored was read under the lock.
      return .success(outcomes)
    }
  }
}
