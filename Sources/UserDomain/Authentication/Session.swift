/// A session as stored: begun by a sign-in, continued by refresh tokens.
public struct Session: Hashable, Sendable {
  /// Its identity.
  public let id: SessionID
  /// Whose it is.
  public let userID: UserID
  /// The hash of the refresh token that is good now.
  public var tokenHash: [UInt8]
  /// The hash of the one before.
  public var previousHash: [UInt8]?
  /// When the refresh token was given.
  public var rotatedAt: Timestamp
  /// When the session ends, however often it is refreshed.
  public var expiresAt: Timestamp
  /// When it was ended before its time.
  public var endedAt: Timestamp?
  /// When the store may forget it. While it lives, that is when its refresh token expires.
  public var keptUntil: Timestamp

  /// A session made of its stored parts.
  public init(
    id: SessionID, userID: UserID, tokenHash: [UInt8], previousHash: [UInt8]? = nil, rotatedAt: Timestamp,
    expiresAt: Timestamp, endedAt: Timestamp? = nil, keptUntil: Timestamp
  ) {
    self.id = id
    self.userID = userID
    self.tokenHash = tokenHash
    self.previousHash = previousHash
    self.rotatedAt = rotatedAt
    self.expiresAt = expiresAt
    self.endedAt = endedAt
    self.keptUntil = keptUntil
  }

  /// A session that begins at `now`.
  init(id: SessionID, userID: UserID, tokenHash: [UInt8], now: Timestamp, policy: SessionPolicy) {
    let expiresAt = now + policy.sessionLifetime
    self.init(
      id: id, userID: userID, tokenHash: tokenHash, rotatedAt: now, expiresAt: expiresAt,
      keptUntil: min(now + policy.refreshLifetime, expiresAt))
  }
}

/// How long sessions and their tokens are good.
public struct SessionPolicy: Hashable, Sendable {
  /// Of an access token, 15 minutes by default, at most ``longestAccessLifetime``.
  public var accessLifetime: Duration
  /// Of a refresh token that nobody uses, 30 days by default.
  public var refreshLifetime: Duration
  /// Of a session, however often it is refreshed, 90 days by default.
  public var sessionLifetime: Duration
  /// The most that may be chosen for access tokens: a day.
  public static let longestAccessLifetime: Duration = .seconds(86_400)
  /// How long an ended session is remembered: until all its access tokens have expired, whatever was chosen
  /// for them, by anybody's clock.
  public static let endedSessionsMemory: Duration = longestAccessLifetime + .seconds(60)
  /// How long a refresh token that was used gives its successor once more: 10 seconds.
  public static let reuseWindow: Duration = .seconds(10)
  /// Sessions that a user may have at once; the one that was refreshed longest ago makes room for another.
  public static let sessionsPerUser = 100

  /// A policy, by default as above.
  public init(
    accessLifetime: Duration = .seconds(15 * 60), refreshLifetime: Duration = .seconds(30 * 86_400),
    sessionLifetime: Duration = .seconds(90 * 86_400)
  ) {
    self.accessLifetime = accessLifetime
    self.refreshLifetime = refreshLifetime
    self.sessionLifetime = sessionLifetime
  }
}

/// A refresh token that is shown, and what to do about it.
public struct SessionRefresh: Hashable, Sendable {
  /// The session that the token names.
  public let session: SessionID
  let presented: [UInt8]
  let successor: [UInt8]
  /// When it is shown.
  public let now: Timestamp
  let policy: SessionPolicy

  /// What becomes of the session.
  public enum Decision: Hashable, Sendable {
    /// It goes on, and is stored as given.
    case goOn(Session)
    /// It goes on as it is: the token was used a moment ago.
    case repeatLast
    /// The token is not the newest one, so two parties have had it: the session ends, and is stored as given.
    case end(Session)
    /// Nothing changes: the token is no good.
    case refuse(TokenFault)
  }

  /// Decides about `stored`, which is the session with that id.
  public func decide(about stored: Session) -> Decision {
    if stored.endedAt != nil { return .refuse(.revoked) }
    let stored = stored.brought(to: now, policy)
    if stored.expiresAt <= now || stored.keptUntil <= now { return .refuse(.expired) }
    if presented == stored.tokenHash {
      var next = stored
      next.previousHash = stored.tokenHash
      next.tokenHash = successor
      next.rotatedAt = now
      next.keptUntil = min(now + policy.refreshLifetime, stored.expiresAt)
      return .goOn(next)
    }
    // A clock that was set back by less than the window is borne with; one by more would keep the window open for long.
    if presented == stored.previousHash, now < stored.rotatedAt + SessionPolicy.reuseWindow,
      stored.rotatedAt < now + SessionPolicy.reuseWindow
    {
      return .repeatLast
    }
    return .end(stored.ended(at: now))
  }
}

extension Session {
  /// The session after its end at `now`: kept until all its access tokens have expired, by any clock.
  public func ended(at now: Timestamp) -> Session {
    var session = self
    session.endedAt = now
    // Its last access token was issued when its refresh token was, perhaps by a clock that was ahead.
    session.keptUntil = max(now, rotatedAt) + SessionPolicy.endedSessionsMemory
    return session
  }

  /// The session as of `now`. If a clock that was ahead has given its refresh token, that counts as given at `now`, so
  /// that neither the token nor the session is good for longer than the policy says.
  fileprivate func brought(to now: Timestamp, _ policy: SessionPolicy) -> Session {
    guard rotatedAt > now else { return self }
    var session = self
    session.expiresAt = min(expiresAt, now + policy.sessionLifetime)
    session.keptUntil = min(keptUntil, now + policy.refreshLifetime, session.expiresAt)
    return session
  }
}
