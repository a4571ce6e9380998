import Synchronization

/// Which access tokens are no good although they have not expired.
///
/// It is in memory, so that a call asks it without a read of the database. The store fills it when it is
/// opened, and then tells it of each commit that ends tokens, before that commit is answered.
public final class RevocationList: Sendable {
  /// From when on the tokens of a user are good.
  public struct Epoch: Hashable, Sendable {
    /// Tokens of other epochs are revoked.
    public let number: Int64
    /// When it began: tokens without an epoch, which others have issued, must be younger.
    public let beganAt: Timestamp
    /// Whether the user may use the service at all.
    public let isUserActive: Bool

    /// An epoch.
    public init(number: Int64, beganAt: Timestamp, isUserActive: Bool) {
      self.number = number
      self.beganAt = beganAt
      self.isUserActive = isUserActive
    }
  }

  /// What ends tokens.
  public enum Event: Hashable, Sendable {
    /// A user's password or status was changed.
    case epochBegan(UserID, Epoch)
    /// A session was ended. The event may be forgotten after `until`, when its access tokens have expired.
    case sessionEnded(SessionID, until: Timestamp)
    /// One token was revoked. The store may forget it after `until`, when the token has expired by any clock.
    case tokenRevoked(TokenID, until: Timestamp)
  }

  private struct State {
    var epochs: [UserID: Epoch] = [:]
    var endedSessions: [SessionID: Timestamp] = [:]
    /// How many ended sessions there may be before those that can be forgotten are.
    var sessionsBeforePurge = 1_024
    /// Few, because an operator revokes them one by one: kept as long as the process lives.
    var revokedTokens: Set<TokenID> = []

    mutating func apply(_ events: some Sequence<Event>, now: Timestamp) {
      for event in events {
        switch event {
        case .epochBegan(let user, let epoch): epochs[user] = epoch
        case .sessionEnded(let session, let until): endedSessions[session] = until
        case .tokenRevoked(let token, _): revokedTokens.insert(token)
        }
      }
      if endedSessions.count >= sessionsBeforePurge {
        endedSessions = endedSessions.filter { $0.value > now }
        // So that a purge costs each event little, however many sessions live.
        sessionsBeforePurge = max(1_024, 2 * endedSessions.count)
      }
    }
  }

  private let state = Mutex(State())
  /// Whether any token was revoked singly: a service's token needs the lock only then.
  private let hasRevokedTokens = Atomic(false)

  /// An empty list.
  public init() {}

  /// Takes note of events, as of `now`.
  public func apply(_ events: some Sequence<Event>, now: Timestamp = .now) {
    state.withLock { state in
      state.apply(events, now: now)
      if !state.revokedTokens.isEmpty { hasRevokedTokens.store(true, ordering: .releasing) }
    }
  }

  /// Takes `events` for everything that is stored, as of `now`. Epochs that are not among them are forgotten; ended
  /// sessions are not, because some were never stored.
  public func replace(with events: some Sequence<Event>, now: Timestamp = .now) {
    state.withLock { state in
      state.epochs = [:]
      state.apply(events, now: now)
      if !state.revokedTokens.isEmpty { hasRevokedTokens.store(true, ordering: .releasing) }
    }
  }

  /// Whether the token that says `claims` is revoked.
  ///
  /// An epoch that began in the future was noted by a clock that was ahead. When it really began is not known; it
  /// counts as begun when that is first seen, so that tokens that are issued afterwards are accepted.
  public func isRevoked(_ claims: AccessTokenClaims, now: @autoclosure () -> Timestamp = .now) -> Bool {
    guard let user = claims.principal.userID else { return isRevokedSingly(claims) }
    return state.withLock { state in
      if let token = claims.tokenID, state.revokedTokens.contains(token) { return true }
      if let session = claims.session, state.endedSessions[session] != nil { return true }
      // Not only an earlier one: after a backup was restored, epochs come that there were before.
      if let epoch = claims.epoch { return epoch != state.epochs[user]?.number ?? 0 }
      guard let current = state.epochs[user] else { return false }
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

  private func isRevokedSingly(_ claims: AccessTokenClaims) -> Bool {
    guard hasRevokedTokens.load(ordering: .acquiring), let token = claims.tokenID else { return false }
    return state.withLock { $0.revokedTokens.contains(token) }
  }

  /// The number of the user's epoch: what its tokens need to have now.
  public func epoch(of user: UserID) -> Int64 { state.withLock { $0.epochs[user]?.number ?? 0 } }

  /// How many users, sessions and tokens the list knows.
  var count: Int { state.withLock { $0.epochs.count + $0.endedSessions.count + $0.revokedTokens.count } }
}
