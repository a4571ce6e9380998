import Synchronization
import Testing
import UserDomain

@testable import UserAPI

@Suite struct PeerLimiterTests {
  private final class Clock: Sendable {
    private let time = Mutex(ContinuousClock.now)
    var now: ContinuousClock.Instant { time.withLock { $0 } }
    func advance(by duration: Duration) { time.withLock { $0 += duration } }
  }

  private let clock = Clock()

  private func limiter(rate: Double = 2, burst: Int = 3) -> PeerLimiter {
    PeerLimiter(PeerLimit(rate: rate, burst: burst), now: { [clock] in clock.now })
  }

  private func admits(_ limiter: PeerLimiter, _ peer: String = "ipv4:192.0.2.1:1000") -> Bool {
    do { try limiter.admit(peer) } catch { return false }
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

  @Test("addresses that are quiet are forgotten, and those in use are bounded")
  func memory() {
    let limiter = limiter(rate: 1, burst: 1)
    for number in 0..<(PeerLimiter.capacity + 5_000) {
      _ = admits(limiter, "ipv4:10.\(number >> 16).\(number >> 8 & 255).\(number & 255):1")
    }
    #expect(limiter.count <= PeerLimiter.capacity + 1)
    clock.advance(by: .seconds(10))
    for number in 0..<20_000 {
      clock.advance(by: .milliseconds(10))
      _ = admits(limiter, "ipv4:11.\(number >> 16).\(number >> 8 & 255).\(number & 255):1")
    }
    #expect(limiter.count < 3_000)
  }
}
