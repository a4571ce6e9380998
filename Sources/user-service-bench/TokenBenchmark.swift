import TokenSigning
import UserDomain

/// Measures the check of a cached access token beside that of a new one, in this process.
struct TokenBenchmark {
  let checks: Int

  func run(into report: inout Report) async throws {
    let authority = try await TokenAuthority(.init(keys: nil))
    let revocations = RevocationList()
    let user = UserID(high: 1, low: 2)
    // Another user's revocation, so that the list is searched, as in a service with revoked tokens.
    revocations.apply([
      .epochBegan(
        UserID(high: 3, low: 4), .init(number: 1, beganAt: .now, isUserActive: true))
    ])
    func header(_ subject: String) throws -> String {
      let claims = AccessTokenClaims(
        principal: Principal(subject: subject, scopes: .usersRead), issuedAt: .now,
        expiresAt: .now + .seconds(3_600), session: .random(), epoch: 0)
      return "Bearer \(try authority.issue(claims))"
    }
    func check(_ header: String) throws {
      guard !revocations.isRevoked(try authority.verifier.verify(authorization: header)) else {
        throw RawDatabase.Failure(description: "a valid token was refused")
      }
    }
    let warm = try header(user.description)
    try check(warm)
    let warmMeter = try await Meter { for _ in 0..<checks { try check(warm) } }
    let cold = try (0..<1_000).map { try header("\(UserID(high: 5, low: UInt64($0)))") }
    let coldMeter = try await Meter { for header in cold { try check(header) } }
    report.line(
      "check of a cached token, \(warm.utf8.count) bytes", ours: warmMeter.cpuMicroseconds(per: checks),
      raw: coldMeter.cpuMicroseconds(per: cold.count), unit: "µs CPU/check",
      note: "raw: a token seen for the first time, EdDSA")
  }
}
