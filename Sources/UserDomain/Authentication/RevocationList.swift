import Synchronization

/// The revoked access tokens that have not expired.
///
/// It is kept in memory, so that a call needs no read of the database. The store fills it on opening, and then reports
/// each commit that revokes tokens, before that commit is acknowledged.
public final class RevocationList: Sendable {
  /// The period in which a user's current tokens are issued.
  public struct Epoch: Hashable, Sendable {
    /// The epoch's number. Tokens of other epochs are revoked.
    public let number: Int64
    /// The time when the epoch began. Tokens without an epoch, from other issuers, must be younger.
    public let beganAt: Timestamp
    /// Whether the user may use the service.
    public let isUserActive: Bool

    /// Creates an epoch.
    public init(number: Int64, beganAt: Timestamp, isUserActive: Bool) {
      self.number = number
      self.beganAt = beganAt
      self.isUserActive = isUserActive
    }
  }

  /// An event that revokes tokens.
  public enum Event: Hashable, Sendable {
    /// A user's password or status was changed.
    case epochBegan(UserID, Epoch)
    /// A session ended. The event may be forgotten after `until`, when the session's access tokens have expired.
    case sessionEnded(SessionID, until: Timestamp)
    /// One token was revoked. The store may forget it after `until`, when the token has expired by any clock.
    case tokenRevoked(TokenID, until: Timestamp)
  }

  /// What is revoked, collected bit by bit.
  public struct Contents: Sendable {
    fileprivate var epochs: [UserID: Epoch] = [:]
    fileprivate var endedSessions: [SessionID: Timestamp] = [:]
    /// The number of ended sessions that triggers the next purge.
    private var sessionsBeforePurge = 1_024
    /// Revoked tokens, kept as long as the process lives: operators revoke few, one by one.
    fileprivate var revokedTokens: Set<TokenID> = []

    /// Creates contents in which nothing is revoked.
    public init() {}

    /// Applies events, as of `now`.
    public mutating func apply(_ events: some Sequence<Event>, now: Timestamp = .now) {
      for event in events {
        switch event {
        case .epochBegan(let user, let epoch): epochs[user] = epoch
        case .sessionEnded(let session, let until): endedSessions[session] = until
        case .tokenRevoked(let token, _): revokedTokens.insert(token)
        }
      }
      if endedSessions.count >= sessionsBeforePurge {
        endedSessions = endedSessions.filter { $0.value > now }
        // Doubled, so that a purge costs each event little, however many sessions are kept.
        sessionsBeforePurge = max(1_024, 2 * endedSessions.count)
      }
    }

    /// Takes the epochs of `stored`, and adds its sessions and tokens.
    fileprivate mutating func replaceEpochs(with stored: Contents) {
      epochs = stored.epochs
      endedSessions.merge(stored.endedSessions) { $1 }
      revokedTokens.formUnion(stored.revokedTokens)
    }
  }

  private let state = Mutex(Contents())
  /// Whether any single token was revoked. Only then does a service's token need the lock.
  private let hasRevokedTokens = Atomic(false)

  /// Creates an empty list.
  public init() {}

  /// Applies events, as of `now`.
  public func apply(_ events: some Sequence<Event>, now: Timestamp = .now) {
    state.withLock { state in
      state.apply(events, now: now)
      if !state.revokedTokens.isEmpty { hasRevokedTokens.store(true, ordering: .releasing) }
    }
  }

  /// Replaces the list by `contents`, which are all that is stored, followed by `events`, as of `now`. Other epochs are
  /// forgotten; ended sessions are kept, because some are never stored.
  public func replace(
    with contents: Contents, then events: some Sequence<Event> = [Event](), now: Timestamp = .now
  ) {
    // The old epochs are released after the lock.
    _ = state.withLock { state in
      let old = state.epochs
      state.replaceEpochs(with: contents)
      state.apply(events, now: now)
      if !state.revokedTokens.isEmpty { hasRevokedTokens.store(true, ordering: .releasing) }
      return old
    }
  }

  /// Replaces the list by `events`, which are all that is stored, as of `now`. Other epochs are forgotten; ended
  /// sessions are kept, because some are never stored.
  public func replace(with events: some Sequence<Event>, now: Timestamp = .now) {
    replace(with: Contents(), then: events, now: now)
  }

  /// Returns whether the token with `claims` is revoked.
  ///
  /// An epoch that began in the future was stored by a clock that was ahead. Its real beginning is unknown, so it
  /// counts as begun when it is first seen. Tokens issued afterwards are accepted.
  public func isRevoked(_ claims: AccessTokenClaims, now: @autoclosure () -> Timestamp = .now) -> Bool {
    guard let user = claims.principal.userID else { return isRevokedSingly(claims) }
    return state.withLock { state in
      if let token = claims.tokenID, state.revokedTokens.contains(token) { return true }
      if let session = claims.session, state.endedSessions[session] != nil { return true }
      // Any other epoch counts, also a later one: restoring a backup brings back earlier numbers.
      guard let current = state.epochs[user] else { return claims.epoch ?? 0 != 0 }
      if let epoch = claims.epoch { return epoch != current.number || !current.isUserActive }
      guard current.isUserActive, let issuedAt = claims.issuedAt else { return true }
      if issuedAt > current.beganAt { return false }
      let now = now()
      if current.beganAt > now {
        state.epochs[user] = Epoch(
          number: current.number, beganAt: now, isUserActive: current.isUserActive)
        return issuedAt <= now
      }
      return true
    }
  }

  /// Returns whether a token that ``isRevoked(_:now:)`` may be valid by what another process has done and this list does not
  /// have yet: its epoch is later than the known one, or its user was inactive.
  public func mayBeBehind(_ claims: AccessTokenClaims) -> Bool {
    guard let user = claims.principal.userID else { return false }
    return state.withLock { state in
      if let token = claims.tokenID, state.revokedTokens.contains(token) { return false }
      if let session = claims.session, state.endedSessions[session] != nil { return false }
      let current = state.epochs[user]
      guard let epoch = claims.epoch else { return current?.isUserActive == false }
      let known = current?.number ?? 0
      return epoch > known || epoch == known && current?.isUserActive == false
    }
  }

  private func isRevokedSingly(_ claims: AccessTokenClaims) -> Bool {
    guard hasRevokedTokens.load(ordering: .acquiring), let token = claims.tokenID else { return false }
    return state.withLock { $0.revokedTokens.contains(token) }
  }

  /// Returns the current epoch of the user, which its tokens must have.
  public func epoch(of user: UserID) -> Int64 { state.withLock { $0.epochs[user]?.number ?? 0 } }

  /// The number of users, sessions and tokens in the list.
  var count: Int { state.withLock { $0.epochs.count + $0.endedSessions.count + $0.revokedTokens.count } }
}
