import Testing

@testable import UserServiceClient

/// Tokens that cannot be sent.
@Suite struct AccessTokenTests {
  private struct Provider: AccessTokenProvider {
    let token: String

    func accessToken(replacing refused: String?) async throws -> String? { token }
  }

  private static let broken = [
    ("a.b.c\n", "the token has a line break"), ("a\r\nb", "the token has a line break"),
    ("a b", "the token has a space"), ("\u{FEFF}a", "the token has a byte order mark"),
    ("", "the token is empty"),
    ("a\0", "the token has a NUL"), ("é", "the token has the character U+00E9"),
    ("a\u{7F}", "the token has the character U+007F"),
  ]

  @Test(
    "a token that cannot be sent says what is wrong with it, before the service is asked", arguments: broken)
  func refused(token: String, words: String) async throws {
    for credentials in [Credentials.accessToken(token), .provider(Provider(token: token))] {
      // No service listens there: that would be another error.
      try await withUserServiceClient(.test(1, credentials)) { client in
        let error = await #expect(throws: UserServiceError.self) { try await client.getUser(id: "7") }
        guard case .unauthenticated(.malformed) = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        #expect(error?.description == words)
        let listing = await #expect(throws: UserServiceError.self) { try await client.listUsers().all() }
        #expect(listing == error)
      }
    }
  }
}
