import Testing

@testable import UserDomain

/// Tests the decision about a presented refresh token.
@Suite struct SessionRefreshTests {
  private static let start = Timestamp(microsecondsSinceEpoch: 1_764_000_000_000_000)
  private static let policy = SessionPolicy()
  private static let user = UserID(high: 1, low: 2)
  private let first = [UInt8](repeating: 1, count: 32)
  private let second = [UInt8](repeating: 2, count: 32)
  private let third = [UInt8](repeating: 3, count: 32)

  private var session: Session {
    Session(id: .random(), userID: Self.user, tokenHash: first, now: Self.start, policy: Self.policy)
  }

  private func decide(
    _ session: Session, _ presented: [UInt8], _ successor: [UInt8], after: Duration
  ) -> SessionRefresh.Decision {
    SessionRefresh(
      session: session.id, presented: presented, successor: successor, now: Self.start + after,
      policy: Self.policy
    ).decide(about: session)
  }

  private func refreshed(_ session: Session, after: Duration) throws -> Session {
    guard case .goOn(let next) = decide(session, first, second, after: after) else { throw NotRefreshed() }
    return next
  }

  private struct NotRefreshed: Error {}

  @Test("the current token rotates, and keeps the session for another 30 days")
  func rotate() throws {
    let next = try refreshed(session, after: .seconds(3_600))
    #expect(next.tokenHash == second)
    #expect(next.previousHash == first)
    #expect(next.rotatedAt == Self.start + .seconds(3_600))
    #expect(next.keptUntil == Self.start + .seconds(3_600 + 30 * 86_400))
    #expect(next.expiresAt == Self.start + .seconds(90 * 86_400))
  }

  @Test("the previous token gives the same successor for 10 seconds, even if the clock steps back by less")
  func repeated() throws {
    let next = try refreshed(session, after: .seconds(100))
    for seconds in [90.001, 99, 100, 109.999] {
      #expect(decide(next, first, second, after: .seconds(seconds)) == .repeatLast)
    }
  }

  @Test("a token used while the clock was ahead cannot be used again until that time")
  func reusedAfterStepBack() throws {
    let next = try refreshed(session, after: .seconds(86_400))
    for seconds in [0.0, 43_200, 86_390] {
      guard case .end(let ended) = decide(next, first, second, after: .seconds(seconds)) else {
        Issue.record("a used token was taken again")
        return
      }
      // The clock that was ahead issued the access token of the refresh.
      #expect(ended.keptUntil == Self.start + .seconds(86_400) + SessionPolicy.endedSessionRetention)
    }
  }

  @Test(
    "a session begun by a clock that was ahead lasts no longer than the policy allows, once it is refreshed"
  )
  func begunInTheFuture() throws {
    let year = Duration.seconds(365 * 86_400)
    guard case .goOn(let next) = decide(session, first, second, after: .zero - year) else {
      Issue.record("not refreshed")
      return
    }
    let now = Self.start - year
    #expect(next.rotatedAt == now)
    #expect(next.expiresAt == now + Self.policy.sessionLifetime)
    #expect(next.keptUntil == now + Self.policy.refreshLifetime)
  }

  @Test("after 10 seconds the previous token ends the session, and an older one ends it at once")
  func reused() throws {
    let next = try refreshed(session, after: .seconds(100))
    guard case .end(let ended) = decide(next, first, second, after: .seconds(110)) else {
      Issue.record("not ended")
      return
    }
    #expect(ended.endedAt == Self.start + .seconds(110))
    // The session is kept as long as one of its access tokens may be accepted.
    #expect(ended.keptUntil >= Self.start + .seconds(110 + 86_400 + 30))
    guard case .goOn(let third) = decide(next, second, third, after: .seconds(101)) else {
      Issue.record("not refreshed")
      return
    }
    guard case .end = decide(third, first, second, after: .seconds(102)) else {
      Issue.record("an older token did not end the session")
      return
    }
    for hash in [first, second, [UInt8](repeating: 3, count: 32)] {
      #expect(decide(ended, hash, first, after: .seconds(111)) == .refuse(.revoked))
    }
  }

  @Test("a token expires after 30 unused days, and a session after 90 whatever its token")
  func expired() throws {
    let month = Duration.seconds(30 * 86_400)
    guard case .goOn = decide(session, first, second, after: month - .seconds(1)) else {
      Issue.record("expired too early")
      return
    }
    #expect(decide(session, first, second, after: month) == .refuse(.expired))
    var old = session
    old.keptUntil = old.expiresAt
    guard case .goOn(let last) = decide(old, first, second, after: .seconds(90 * 86_400 - 60)) else {
      Issue.record("expired too early")
      return
    }
    #expect(last.keptUntil == last.expiresAt)
    #expect(decide(old, first, second, after: .seconds(90 * 86_400)) == .refuse(.expired))
  }
}
