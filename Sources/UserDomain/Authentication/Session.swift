/// A session as stored: begun by a sign-in, continued by refresh tokens.
public struct Session: Hashable, Sendable {
  /// The session's id.
  public let id: SessionID
  /// The session's user.
  public let userID: UserID
  /// The hash of the current refresh token.
  public var tokenHash: [UInt8]
  /// The hash of the previous refresh token.
  public var previousHash: [UInt8]?
  /// The time when the current refresh token was issued.
  public var rotatedAt: Timestamp
  /// The time when the session ends at the latest, however often it is refreshed.
  public var expiresAt: Timestamp
  /// The time when the session was ended before it expired.
  public var endedAt: Timestamp?
  /// The time when the store may forget the session. Before the session ends, that is when its refresh token expires.
  public var keptUntil: Timestamp

  /// Creates a session from its stored parts.
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

  /// Creates a session that begins at `now`.
  init(id: SessionID, userID: UserID, tokenHash: [UInt8], now: Timestamp, policy: SessionPolicy) {
    let expiresAt = now + policy.sessionLifetime
    self.init(
      id: id, userID: userID, tokenHash: tokenHash, rotatedAt: now, expiresAt: expiresAt,
      keptUntil: min(now + policy.refreshLifetime, expiresAt))
  }
}

/// The lifetimes of sessions and their tokens.
public struct SessionPolicy: Hashable, Sendable {
  /// The lifetime of an access token: 15 minutes by default, at most ``longestAccessLifetime``.
  public var accessLifetime: Duration
  /// The lifetime of an unused refresh token: 30 days by default.
  public var refreshLifetime: Duration
  /// The lifetime of a session, however often it is refreshed: 90 days by default.
  public var sessionLifetime: Duration
  /// The maximum lifetime of an access token: a day.
  public static let longestAccessLifetime: Duration = .seconds(86_400)
  /// The retention of an ended session: until all its access tokens have expired, at any permitted lifetime and by any
  /// clock.
  public static let endedSessionRetention: Duration = longestAccessLifetime + .seconds(60)
  /// The period in which a used refresh token still returns its successor: 10 seconds.
  public static let reuseWindow: Duration = .seconds(10)
  /// The maximum number of sessions per user. A new one replaces the one refreshed longest ago.
  public static let sessionsPerUser = 100

  /// Creates a policy with the defaults above.
  public init(
    accessLifetime: Duration = .seconds(15 * 60), refreshLifetime: Duration = .seconds(30 * 86_400),
    sessionLifetime: Duration = .seconds(90 * 86_400)
  ) {
    self.accessLifetime = accessLifetime
    self.refreshLifetime = refreshLifetime
    self.sessionLifetime = sessionLifetime
  }
}

/// A presented refresh token, and the decision about it.
public struct SessionRefresh: Hashable, Sendable {
  /// The session that the token names.
  public let session: SessionID
  let presented: [UInt8]
  let successor: [UInt8]
  /// The time when the token is presented.
  public let now: Timestamp
  let policy: SessionPolicy

  /// The decision about the session.
  public enum Decision: Hashable, Sendable {
    /// The session continues, and is stored as given.
    case goOn(Session)
    /// The session continues unchanged: the token was used a moment ago.
    case repeatLast
    /// The token is not the current one, so two parties have it: the session ends, and is stored as given.
    case end(Session)
    /// The token is invalid; nothing changes.
    case refuse(TokenFault)
  }

  /// Decides about `stored`, the session with this id.
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
    // A clock set back by less than the window is tolerated; more would keep the window open for long.
    if presented == stored.previousHash, now < stored.rotatedAt + SessionPolicy.reuseWindow,
      stored.rotatedAt < now + SessionPolicy.reuseWindow
    {
      return .repeatLast
    }
    return .end(stored.ended(at: now))
  }
}

extension Session {
  /// Returns the session ended at `now`, kept until all its access tokens have expired by any clock.
  public func ended(at now: Timestamp) -> Session {
    var session = self
    session.endedAt = now
    // Its last access token was issued with its refresh token, perhaps by a clock that was ahead.
    session.keptUntil = max(now, rotatedAt) + SessionPolicy.endedSessionRetention
    return session
  }

  /// Returns the session as of `now`. A refresh token issued by a clock that was ahead counts as issued at `now`. So
  /// neither the token nor the session lives longer than the policy allows.
  fileprivate func brought(to now: Timestamp, _ policy: SessionPolicy) -> Session {
    guard rotatedAt > now else { return self }
    var session = self
    session.expiresAt = min(expiresAt, now + policy.sessionLifetime)
    session.keptUntil = min(keptUntil, now + policy.refreshLifetime, session.expiresAt)
    return session
  }
}
