import TestSupport
import Testing
import UserDomain

@testable import UserAPI

@Suite struct PeerLimiterTests {
  private let clock = VirtualClock()

  private func limiter(rate: Double = 2, burst: Int = 3) -> PeerLimiter {
    PeerLimiter(PeerLimit(rate: rate, burst: burst), now: { [clock] in clock.now })
  }

  private func admits(
    _ limiter: PeerLimiter, _ peer: String = "ipv4:192.0.2.1:1000", _ cost: CallCost = .full
  ) -> Bool {
    do { try limiter.admit(peer, cost) } catch { return false }
    return true
  }

  @Test("a peer has its burst, then its rate, and is told how long to wait")
  func bucket() {
    let limiter = limiter()
    #expect((0..<5).map { _ in admits(limiter) } == [true, true, true, false, false])
    #expect(throws: UserError.peerLimitExceeded(retryAfter: .milliseconds(500))) {
      try limiter.admit("ipv4:192.0.2.1:1001")
    }
    clock.advance(by: .milliseconds(499))
    #expect(!admits(limiter))
    clock.advance(by: .milliseconds(1))
    #expect((0..<2).map { _ in admits(limiter) } == [true, false])
    clock.advance(by: .seconds(3_600))
    #expect((0..<4).map { _ in admits(limiter) } == [true, true, true, false])
  }

  @Test("others are not held up")
  func others() {
    let limiter = limiter()
    while admits(limiter) {}
    for peer in ["ipv4:192.0.2.2:1000", "ipv6:[2001:db8::1]:1000", "unix:/run/users.sock"] {
      #expect(admits(limiter, peer))
    }
  }

  @Test("cheaper calls take less from the same bucket, and free calls are not counted")
  func costs() {
    let limiter = limiter(rate: 1, burst: 2)
    var count = 0
    while admits(limiter, "ipv4:192.0.2.1:1", .medium) { count += 1 }
    #expect(count == 8)
    #expect(!admits(limiter, "ipv4:192.0.2.1:1", .little))
    #expect(admits(limiter, "ipv4:192.0.2.1:1", .nothing))
    clock.advance(by: .milliseconds(251))
    #expect(!admits(limiter))
    #expect(admits(limiter, "ipv4:192.0.2.1:1", .medium))
  }

  @Test("checks of tokens have a bucket of their own, and a valid token costs nothing")
  func tokenChecks() throws {
    let limiter = limiter(rate: 1, burst: 2)
    let peer = "ipv4:192.0.2.1:1"
    for _ in 0..<100 {
      try limiter.admitTokenCheck(peer)
      limiter.tokenWasValid(peer)
    }
    try limiter.admitTokenCheck(peer)
    try limiter.admitTokenCheck(peer)
    #expect(throws: UserError.peerLimitExceeded(retryAfter: .seconds(1))) {
      try limiter.admitTokenCheck(peer)
    }
    #expect(admits(limiter, peer))
    try limiter.admitTokenCheck("ipv4:192.0.2.2:1")
  }

  @Test(
    "a user's own updates count against the user from any network, and against the network like CreateUser"
  )
  func ownUpdates() throws {
    let limiter = limiter(rate: 1, burst: 2)
    try limiter.admitOwnUpdate("ipv4:192.0.2.1:1", subject: "ada")
    try limiter.admitOwnUpdate("ipv4:192.0.2.2:1", subject: "ada")
    #expect(throws: UserError.peerLimitExceeded(retryAfter: .seconds(1))) {
      try limiter.admitOwnUpdate("ipv4:192.0.2.3:1", subject: "ada")
    }
    try limiter.admitOwnUpdate("ipv4:192.0.2.1:2", subject: "bob")
    #expect(!admits(limiter, "ipv4:192.0.2.1:3"))
    #expect(throws: UserError.peerLimitExceeded(retryAfter: .seconds(1))) {
      try limiter.admitOwnUpdate("ipv4:192.0.2.1:4", subject: "eve")
    }
  }

  @Test("quiet addresses are forgotten, and the number of others is bounded")
  func memory() {
    let limiter = RateLimiter<String>(PeerLimit(rate: 1, burst: 1), now: { [clock] in clock.now })
    for number in 0..<(RateLimiter<String>.capacity + 5_000) { _ = limiter.take(of: "\(number)") }
    #expect(limiter.count <= RateLimiter<String>.capacity + 1)
    clock.advance(by: .seconds(10))
    for number in 0..<20_000 {
      clock.advance(by: .milliseconds(10))
      _ = limiter.take(of: "later \(number)")
    }
    #expect(limiter.count < 3_000)
  }
}
