import TokenSigning
import UserDomain

/// Makes tokens of a service with `scopes`, signed as `token issue` does.
enum BenchToken {
  static func make(_ scopes: Scopes, database: String) async throws -> String {
    let authority = try await TokenAuthority(.init(keys: KeyFile(path: database + ".keys")))
    return try authority.issue(
      AccessTokenClaims(
        principal: Principal(subject: "bench", scopes: scopes), issuedAt: .now,
        expiresAt: .now + .seconds(3_600)))
  }
}
