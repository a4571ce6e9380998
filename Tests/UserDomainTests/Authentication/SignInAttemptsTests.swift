import Testing

@testable import UserDomain

@Suite struct SignInAttemptsTests {
  private let start = Timestamp(microsecondsSinceEpoch: 1_764_000_000_000_000)

  @Test(
    "from the 5th failure on the next attempt waits, twice as long each time, up to a minute",
    arguments: [
      (0, 0), (1, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 32), (11, 60), (12, 60),
      (1_000_000, 60), (Int.max, 60),
    ])
  func wait(failures: Int, seconds: Int) {
    let attempts = SignInAttempts(failures: failures, lastAt: start)
    #expect(attempts.remainingWait(at: start) == .seconds(seconds))
    #expect(attempts.remainingWait(at: start + .seconds(seconds)) <= .zero)
    if seconds > 0 { #expect(attempts.remainingWait(at: start + .milliseconds(seconds * 1_000 - 1)) > .zero) }
  }

  @Test("nothing waits for a failure stored by a clock that was ahead")
  func clockSteppedBack() {
    for failures in [5, 6, 100] {
      let attempts = SignInAttempts(failures: failures, lastAt: start)
      for ahead in [Duration.microseconds(1), .seconds(3), .seconds(86_400)] {
        #expect(attempts.remainingWait(at: start - ahead) <= .zero)
      }
    }
  }

  @Test("an unknown account is its address, in any letter case")
  func account() throws {
    #expect(
      SignInAccount.unknown(try EmailAddress("Ada@Example.com"))
        == .unknown(try EmailAddress("ada@EXAMPLE.com")))
    #expect(
      SignInAccount.unknown(try EmailAddress("ada@example.com"))
        != .unknown(try EmailAddress("bob@example.com")))
  }

  private func admission(
    _ failures: Int, _ running: Int = 0, account: Int = 0, inAccount: Int = 0,
    from source: SignInSource = .network(PeerNetwork(peer: "unix"))
  ) -> SignInHistory.Admission {
    SignInHistory(
      source: SignInAttempts(failures: failures, lastAt: start - .seconds(60)), accountFailures: account
    ).admission(from: source, at: start, running: running, inAccount: inAccount)
  }

  @Test("as many attempts run at once as may fail before the first wait, and then one at a time")
  func concurrency() {
    for failures in 0...4 {
      #expect(admission(failures, 4 - failures) == .begin)
      #expect(admission(failures, 5 - failures) == .wait)
    }
    #expect(admission(5) == .begin)
    #expect(admission(5, 1) == .wait)
    #expect(admission(1_000) == .begin)
  }

  @Test(
    "an account takes 100 failures from all networks together, with running attempts; devices are exempt"
  )
  func accountLimit() {
    #expect(admission(0, account: 99) == .begin)
    #expect(admission(0, account: 99, inAccount: 1) == .refuse(.tooManyAttempts(retryAfter: .seconds(1))))
    #expect(admission(0, account: 100) == .refuse(.signInDisabled))
    #expect(admission(0, account: 100, inAccount: 3, from: .device(.random())) == .begin)
    #expect(admission(0, 5, account: 100, from: .device(.random())) == .wait)
  }
}
