import Testing

@testable import UserDomain

@Suite struct RevocationListTests {
  private let list = RevocationList()
  private let now = Timestamp(microsecondsSinceEpoch: 1_764_000_000_000_000)
  private let user = UserID(high: 1, low: 2)

  private func claims(
    epoch: Int64?, session: SessionID? = nil, issued: Duration? = .zero, token: TokenID? = nil
  ) -> AccessTokenClaims {
    AccessTokenClaims(
      principal: Principal(subject: "\(user)", scopes: []), issuedAt: issued.map { now + $0 }, expiresAt: now,
      session: session, epoch: epoch, tokenID: token)
  }

  private func begin(_ number: Int64, active: Bool = true) {
    list.apply([.epochBegan(user, .init(number: number, beganAt: now, isUserActive: active))])
  }

  @Test("only the user's tokens of other epochs are revoked")
  func epochs() {
    #expect(!list.isRevoked(claims(epoch: 0)))
    begin(2)
    #expect(list.isRevoked(claims(epoch: 0)))
    #expect(list.isRevoked(claims(epoch: 1)))
    #expect(!list.isRevoked(claims(epoch: 2)))
    // A later epoch, from before a backup was restored.
    #expect(list.isRevoked(claims(epoch: 3)))
    #expect(list.epoch(of: user) == 2)
    let other = AccessTokenClaims(
      principal: Principal(subject: "\(UserID(high: 3, low: 4))", scopes: []), issuedAt: now, expiresAt: now,
      epoch: 0)
    #expect(!list.isRevoked(other))
    #expect(
      !list.isRevoked(
        AccessTokenClaims(principal: Principal(subject: "billing", scopes: []), issuedAt: now, expiresAt: now)
      ))
  }

  @Test("a token of another issuer must be younger than the epoch, and its user active")
  func withoutEpoch() {
    #expect(!list.isRevoked(claims(epoch: nil, issued: nil)))
    begin(1)
    #expect(list.isRevoked(claims(epoch: nil, issued: .zero)))
    #expect(list.isRevoked(claims(epoch: nil, issued: .seconds(-1))))
    #expect(list.isRevoked(claims(epoch: nil, issued: nil)))
    #expect(!list.isRevoked(claims(epoch: nil, issued: .seconds(1))))
    begin(1, active: false)
    #expect(list.isRevoked(claims(epoch: nil, issued: .seconds(1))))
  }

  @Test(
    "an epoch begun by a clock that was ahead revokes another issuer's new tokens only until it is seen"
  )
  func epochOfTheFuture() {
    list.apply([
      .epochBegan(user, .init(number: 1, beganAt: now + .seconds(86_400), isUserActive: true))
    ])
    let old = claims(epoch: nil, issued: .seconds(-10))
    #expect(list.isRevoked(old, now: now))
    #expect(list.isRevoked(claims(epoch: nil, issued: .zero), now: now))
    #expect(!list.isRevoked(claims(epoch: nil, issued: .seconds(1)), now: now + .seconds(1)))
    #expect(list.isRevoked(old, now: now + .seconds(1)))
    #expect(!list.isRevoked(claims(epoch: 1), now: now))
  }

  @Test("tokens of an ended session are revoked, and the session is forgotten once they have expired")
  func sessions() {
    let (ended, living) = (SessionID.random(), SessionID.random())
    list.apply([.sessionEnded(ended, until: now + .seconds(900))], now: now)
    #expect(list.isRevoked(claims(epoch: 0, session: ended)))
    #expect(!list.isRevoked(claims(epoch: 0, session: living)))
    // Many other sessions later: the list stays as long as the unexpired ones.
    for _ in 0..<100 {
      list.apply(
        (0..<1_000).map { _ in .sessionEnded(.random(), until: now + .seconds(1_000)) },
        now: now + .seconds(1_001))
    }
    #expect(list.count <= 3_000)
    #expect(!list.isRevoked(claims(epoch: 0, session: ended)))
  }

  @Test("a token revoked alone, a user's or a service's, is revoked, and no other")
  func singly() {
    func service(_ token: TokenID?) -> AccessTokenClaims {
      AccessTokenClaims(
        principal: Principal(subject: "billing", scopes: []), issuedAt: now, expiresAt: now, tokenID: token)
    }
    let (revoked, other) = (TokenID.random(), TokenID.random())
    #expect(!list.isRevoked(service(revoked)) && !list.isRevoked(claims(epoch: 0, token: revoked)))
    // A token past its expiry is still revoked: the clock may be ahead.
    list.apply([.tokenRevoked(revoked, until: now)], now: now + .seconds(1))
    #expect(list.isRevoked(service(revoked)) && list.isRevoked(claims(epoch: 0, token: revoked)))
    for token in [other, nil] {
      #expect(!list.isRevoked(service(token)) && !list.isRevoked(claims(epoch: 0, token: token)))
    }
  }

  @Test("only a token of a later epoch, or of a user that was inactive, may be valid by what is not read yet")
  func behind() {
    #expect(!list.mayBeBehind(claims(epoch: 0)) && list.mayBeBehind(claims(epoch: 1)))
    begin(1)
    #expect(!list.mayBeBehind(claims(epoch: 0)) && !list.mayBeBehind(claims(epoch: 1)))
    #expect(list.mayBeBehind(claims(epoch: 2)) && !list.mayBeBehind(claims(epoch: nil, issued: .zero)))
    begin(2, active: false)
    #expect(!list.mayBeBehind(claims(epoch: 1)) && list.mayBeBehind(claims(epoch: 2)))
    #expect(list.mayBeBehind(claims(epoch: nil, issued: .zero)))
    let (session, token) = (SessionID.random(), TokenID.random())
    list.apply(
      [.sessionEnded(session, until: now + .seconds(60)), .tokenRevoked(token, until: now)], now: now)
    #expect(!list.mayBeBehind(claims(epoch: 3, session: session)))
    #expect(!list.mayBeBehind(claims(epoch: 3, token: token)))
  }

  @Test("the stored revocations replace the known epochs, and nothing else")
  func replaced() {
    let (session, token) = (SessionID.random(), TokenID.random())
    begin(1, active: false)
    list.apply([.sessionEnded(session, until: now + .seconds(60)), .tokenRevoked(token, until: now)])
    list.replace(with: [] as [RevocationList.Event], now: now)
    #expect(!list.isRevoked(claims(epoch: 0)))
    #expect(list.isRevoked(claims(epoch: 0, session: session)))
    #expect(list.isRevoked(claims(epoch: 0, token: token)))
  }
}
