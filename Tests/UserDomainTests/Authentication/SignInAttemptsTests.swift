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

  @Test("a clock that has stepped back does not make the wait longer")
  func clockSteppedBack() {
    let attempts = SignInAttempts(failures: 6, lastAt: start)
    #expect(attempts.remainingWait(at: start - .seconds(86_400)) == .seconds(2))
  }

  @Test("an account is its address, whatever the letter case")
  func account() throws {
    #expect(
      SignInAccount(try EmailAddress("Ada@Example.com")) == SignInAccount(try EmailAddress("ada@EXAMPLE.com"))
    )
    #expect(
      SignInAccount(try EmailAddress("ada@example.com")) != SignInAccount(try EmailAddress("bob@example.com"))
    )
  }
}
