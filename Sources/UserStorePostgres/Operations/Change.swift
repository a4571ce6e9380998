import UserDomain
import UserStore

extension WriteOperation<User> {
  /// Changes a user.
  static func update(_ id: UserID, _ changes: UserChanges, _ write: UserWrite) -> WriteOperation {
    let key = changes.email?.uniquenessKey
    let read = UserRead(id, write)
    var operation = WriteOperation(decide: { found, context throws(PostgresFailure) in
      var found = found
      if let fault = read.authority.fault(&found) { return .refused(fault) }
      let (stored, hash) = try read.user(&found)
      let holder = key == nil ? nil : found.popFirst().flatMap { $0.count == 0 ? nil : $0.id(0, 0) }
      let now = context.clock()
      switch UserChange.decide(id, stored: stored, passwordHash: hash, changes, write, now: now) {
      case .failure(let error): return .refused(error)
      case .success where holder != nil && holder != id: return .refused(.emailAlreadyRegistered)
      case .success(let change): return change.write(at: now)
      }
    })
    operation.reads = read.commands
    operation.dependencies = read.dependencies
    operation.changes = [.user(id)]
    if let key {
      operation.reads.append(Command(UserChangeStatements.userByKey, .text(key)))
      operation.dependencies.formUnion([.newAddress(key), .changedAddress(key)])
      operation.changes.insert(.changedAddress(key))
    }
    return operation
  }

  /// Deletes a user.
  static func delete(_ id: UserID, _ removal: UserRemoval, _ write: UserWrite) -> WriteOperation {
    let read = UserRead(id, write)
    return read.operation { stored, hash, now in
      switch UserRemovalOutcome.decide(
        id, stored: stored, passwordHash: hash, removal, write, now: now)
      {
      case .failure(let error): return .refused(error)
      case .success(.unchanged(let user)): return .done(user)
      case .success(.delete(let user)):
        // A retry of its creation would return it as it was.
        let commands = [
          user.storeDeletion, Command(RequestStatements.forget, .id(id)), user.endTokens(at: now),
        ]
        return PlannedWrite(commands) { committed in
          committed.noteEpoch(of: user, committed.result(2))
          return .success(user)
        }
      case .success(.erase(let user)):
        return PlannedWrite((stored ?? user).erasure(at: now)) { committed in
          committed.noteEpoch(of: RetiredTokens.lastState(of: user, at: now), committed.result(0))
          return .success(user)
        }
      }
    }
  }

  /// Makes a deleted user one that is not.
  static func undelete(_ id: UserID, _ write: UserWrite) -> WriteOperation {
    UserRead(id, write).operation { stored, _, now in
      switch write.undelete(id, stored: stored, now: now) {
      case .failure(let error): return .refused(error)
      case .success(let user):
        return PlannedWrite([user.storeDeletion, user.readmit]) { committed in
          committed.noteEpoch(of: user, committed.result(1))
          return .success(user)
        }
      }
    }
  }
}

extension WriteOperation<Int> {
  /// Erases up to `limit` users that are due at `time`, and returns their number.
  static func purge(at time: Timestamp, limit: Int) -> WriteOperation {
    WriteOperation(
      isAlone: true,
      reads: [Command(UserChangeStatements.purgeable, .time(time), .integer(Int64(limit)))],
      decide: { found, context throws(PostgresFailure) in
        let now = context.clock()
        guard let rows = found.first else { return .done(0) }
        var users: [(user: User, start: Int)] = []
        var commands: [Command] = []
        for row in 0..<rows.count {
          let user = try rows.user(row)
          users.append((user, commands.count))
          commands += user.erasure(at: now)
        }
        return PlannedWrite(commands) { [users] committed in
          for (user, start) in users {
            committed.noteEpoch(of: RetiredTokens.lastState(of: user, at: now), committed.result(start))
          }
          return .success(users.count)
        }
      })
  }
}

/// The reads of a change of one user.
private struct UserRead: Sendable {
  let id: UserID
  let authority: AuthorityRead
  private let needsHash: Bool

  init(_ id: UserID, _ write: UserWrite) {
    self.id = id
    authority = AuthorityRead(write.authority)
    needsHash = write.provenHash != nil
  }

  var dependencies: Set<WriteKey> { authority.dependencies.union([.user(id)]) }

  var commands: [Command] {
    authority.commands + [Command(UserChangeStatements.user, .id(id))]
      + (needsHash ? [Command(UserChangeStatements.hash, .id(id))] : [])
  }

  /// Returns the stored user and, if the change depends on it, the hash of its password.
  func user(_ found: inout ArraySlice<QueryResult>) throws(PostgresFailure) -> (User?, PasswordHash?) {
    let user = try found.popFirst()?.onlyUser()
    guard needsHash, let hash = found.popFirst(), hash.count > 0 else { return (user, nil) }
    return (user, PasswordHash(phcString: hash.text(0, 0)))
  }

  func operation(
    _ decide: @escaping @Sendable (User?, PasswordHash?, Timestamp) -> PlannedWrite<User>
  ) -> WriteOperation<User> {
    WriteOperation(
      dependencies: dependencies, changes: [.user(id)], reads: commands,
      decide: { found, context throws(PostgresFailure) in
        var found = found
        if let fault = authority.fault(&found) { return .refused(fault) }
        let (stored, hash) = try user(&found)
        return decide(stored, hash, context.clock())
      })
  }
}

extension UserChange {
  /// What stores the change.
  fileprivate func write(at now: Timestamp) -> PlannedWrite<User> {
    var commands: [Command] = []
    if changesUser { commands.append(store) }
    commands += user.commands(UserChangeStatements.removeLabel, removedLabels)
    commands += user.commands(UserChangeStatements.addLabel, addedLabels)
    switch password {
    case nil: break
    case .replace(let hash):
      commands.append(Command(UserChangeStatements.putHash, .id(user.id), .text(hash.phcString)))
    case .remove: commands.append(Command(UserChangeStatements.deleteHash, .id(user.id)))
    }
    if forgetsRequests { commands.append(Command(RequestStatements.forget, .id(user.id))) }
    if resetsFailures { commands += SignInAccount.unlock(user.id) }
    let tokensAt = commands.count
    switch tokens {
    case .none: break
    case .end: commands.append(user.endTokens(at: now))
    case .readmit: commands.append(user.readmit)
    }
    return PlannedWrite(commands) { [user, tokens] committed in
      if tokens != .none { committed.noteEpoch(of: user, committed.result(tokensAt)) }
      return .success(user)
    }
  }

  private var store: Command {
    let labels = SQLValue.text(user.labels.isEmpty ? nil : user.labels.text)
    let status = SQLValue.small(Int16(user.status.rawValue))
    guard changesTexts else {
      return Command(
        UserChangeStatements.updateUnsearched, .id(user.id), status, labels, .time(user.updatedAt))
    }
    return Command(
      UserChangeStatements.update, .id(user.id), .text(user.email.address), .text(user.email.uniquenessKey),
      .text(user.name.text), .text(user.name.searchKey), status, labels, .time(user.updatedAt))
  }
}

extension User {
  fileprivate var storeDeletion: Command {
    Command(
      UserChangeStatements.setDeletion, .id(id), .time(deletion?.deletedAt), .time(deletion?.purgeAt),
      .time(updatedAt))
  }

  fileprivate func commands(_ statement: Statement, _ labels: UserLabels) -> [Command] {
    labels.isEmpty ? [] : labels.byKey.map { Command(statement, .text($0.key), .text($0.value), .id(id)) }
  }

  /// Revokes every token; the result has the new epoch.
  func endTokens(at now: Timestamp) -> Command {
    Command(TokenStatements.end, .id(id), .time(now), .flag(maySignIn))
  }

  /// Lets the user get new tokens; the result has the epoch, if any began.
  fileprivate var readmit: Command { Command(TokenStatements.readmit, .id(id), .flag(maySignIn)) }

  /// Erases the user with everything that belongs to it. The first result has the epoch that its tokens do not reach.
  fileprivate func erasure(at now: Timestamp) -> [Command] {
    [
      RetiredTokens.lastState(of: self, at: now).endTokens(at: now),
      Command(TokenStatements.forgetRetired, .time(now)),
      Command(TokenStatements.retire, .id(id), .time(now + RetiredTokens.retention)),
    ] + commands(UserChangeStatements.removeLabel, labels) + SignInAccount.unlock(id) + [
      // Foreign keys delete the rest.
      Command(UserChangeStatements.delete, .id(id))
    ]
  }
}
