import UserDomain
import UserStore

extension WriteOperation<Void> {
  /// Begins a session.
  static func create(_ session: Session, epoch: Int64, from source: SignInSource) -> WriteOperation {
    WriteOperation(
      dependencies: [.user(session.userID)], changes: [.session(session.id)],
      reads: [Command(TokenStatements.standing, .id(session.userID))],
      decide: { found, context in
        guard found.first.flatMap({ UserStanding($0) })?.accepts(epoch: epoch) ?? false else {
          return .refused(.wrongCredentials)
        }
        let commands = session.insert + session.signedIn(from: source)
        let until = session.rotatedAt + SessionPolicy.endedSessionRetention
        let oldest = commands.count
        return PlannedWrite(commands + session.makeRoom(until: until)) { committed in
          let gone = committed.result(oldest + 1)
          for row in 0..<gone.count {
            if let id = SessionID(bytes: gone.blob(row, 0)) {
              committed.revoked.append(.sessionEnded(id, until: until))
            }
          }
          return .success(())
        }
      })
  }

  /// Ends a session and its access tokens.
  static func end(_ id: SessionID, now: Timestamp) -> WriteOperation {
    // Ends of one session share a transaction: whichever counts, it has ended.
    WriteOperation(
      dependencies: [.session(id)], changes: [.sessionEnd(id)],
      reads: [Command(SessionStatements.session, .bytes(id.bytes))],
      decide: { found, _ in
        guard let (stored, _) = found.first?.session(id) else {
          // An unknown session was once issued: its access tokens may still be valid.
          return id.noteEnd(until: now + SessionPolicy.endedSessionRetention)
        }
        return stored.endedAt == nil ? stored.ended(at: now).end(.success(())) : .done(())
      })
  }

  /// Replaces the hash of a password by another of the same password.
  static func upgrade(_ old: PasswordHash, to new: PasswordHash, of user: UserID) -> WriteOperation {
    WriteOperation(
      changes: [.user(user)],
      decide: { _, _ in
        .done(
          (),
          [Command(UserChangeStatements.upgradeHash, .id(user), .text(old.phcString), .text(new.phcString))])
      })
  }
}

extension WriteOperation<(session: Session, epoch: Int64)> {
  /// Continues a session.
  static func refresh(_ refresh: SessionRefresh) -> WriteOperation {
    let id = refresh.session
    return WriteOperation(
      dependencies: [.session(id), .sessionEnd(id)], changes: [.session(id)],
      reads: [Command(SessionStatements.session, .bytes(id.bytes))],
      decide: { found, _ in
        guard let (stored, epoch) = found.first?.session(id), let epoch else {
          return .refused(.unauthenticated(.untrusted))
        }
        switch refresh.decide(about: stored) {
        case .goOn(let next): return .done((next, epoch), [next.update])
        case .repeatLast: return .done((stored, epoch))
        case .end(let ended): return ended.end(.failure(.unauthenticated(.revoked)))
        case .refuse(let fault): return .refused(.unauthenticated(fault))
        }
      })
  }
}

extension QueryResult {
  /// Returns the session in a result of `SessionStatements.session`, and the epoch of its user, or nil.
  fileprivate func session(_ id: SessionID) -> (Session, epoch: Int64?)? {
    guard count > 0, let user = self.id(0, 0) else { return nil }
    let session = Session(
      id: id, userID: user, tokenHash: blob(0, 1), previousHash: isNull(0, 2) ? nil : blob(0, 2),
      rotatedAt: time(0, 3), expiresAt: time(0, 4), endedAt: optionalTime(0, 5), keptUntil: time(0, 6))
    return (session, isNull(0, 7) ? nil : integer(0, 7))
  }
}

extension SessionID {
  /// Notes that the session has ended, for this service and the others.
  fileprivate func noteEnd(until: Timestamp) -> PlannedWrite<Void> {
    PlannedWrite([noteCommand(until: until)]) { committed in
      committed.revoked.append(.sessionEnded(self, until: until))
      return .success(())
    }
  }

  fileprivate func noteCommand(until: Timestamp) -> Command {
    Command(TokenStatements.noteSession, .bytes(bytes), .time(until))
  }
}

extension Session {
  fileprivate var insert: [Command] {
    [
      Command(
        SessionStatements.insert, .bytes(id.bytes), .id(userID), .bytes(tokenHash), .time(rotatedAt),
        .time(expiresAt), .time(keptUntil))
    ]
  }

  fileprivate var update: Command {
    Command(
      SessionStatements.update, .bytes(id.bytes), .bytes(tokenHash), previousHash.map { .bytes($0) } ?? .null,
      .time(rotatedAt), .time(endedAt), .time(keptUntil), .time(expiresAt))
  }

  /// Stores the session as ended.
  fileprivate func end<Value>(_ outcome: Result<Value, UserError>) -> PlannedWrite<Value> {
    PlannedWrite([update, id.noteCommand(until: keptUntil)]) { committed in
      committed.revoked.append(.sessionEnded(id, until: keptUntil))
      return outcome
    }
  }

  /// Ends the sessions of the user beyond the maximum. Those of a clock that was ahead count as slightly older than this
  /// one: otherwise they would never be the oldest. The second result has the ids of the sessions that were deleted.
  fileprivate func makeRoom(until: Timestamp) -> [Command] {
    [
      Command(SessionStatements.mend, .id(userID), .time(rotatedAt), .time(expiresAt), .time(keptUntil)),
      Command(SessionStatements.deleteOldest, .id(userID), .bytes(id.bytes), .time(until)),
      Command(SessionStatements.purge, .time(rotatedAt)),
    ]
  }

  /// Identifies the device by the session that it began, in place of its earlier one, and resets its count of failures.
  fileprivate func signedIn(from source: SignInSource) -> [Command] {
    var commands = SignInAccount.user(userID).forget(source)
    if case .device(let before) = source {
      commands.append(Command(AttemptStatements.deleteDevice, .bytes(before.bytes)))
    }
    return commands + [
      Command(AttemptStatements.insertDevice, .bytes(id.bytes), .id(userID), .time(rotatedAt)),
      // Devices of a clock that was ahead would otherwise never be the oldest. The new time is one that nothing waits for.
      Command(
        AttemptStatements.mendDevices, .id(userID), .time(rotatedAt),
        .time(rotatedAt - SignInAttempts.longestWait)),
      Command(AttemptStatements.deleteDevicesInExcess, .id(userID), .bytes(id.bytes)),
    ]
  }
}
