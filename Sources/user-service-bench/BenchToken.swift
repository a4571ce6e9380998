import TokenSigning
import UserDomain

/// Makes tokens of a service with `scopes`, signed as `token issue` does.
enum BenchToken {
  static func make(_ scopes: Scopes, database: String) async throws -> String {
    try await make(scopes, keys: database + ".keys")
  }

  static func make(_ scopes: Scopes, keys: String) async throws -> String {
    let authority = try await TokenAuthority(.init(keys: KeyFile(path: keys)))
    return try authority.issue(
      AccessTokenClaims(
        principal: Principal(subject: "bench", scopes: scopes), issuedAt: .now,
        expiresAt: .now + .seconds(3_600)))
  }
}
