import Testing

@testable import UserServiceClient

/// Tokens that cannot be sent.
@Suite struct AccessTokenTests {
  private struct Provider: AccessTokenProvider {
    let token: String

    func accessToken(replacing refused: String?) async throws -> String? { token }
  }

  private static let broken = [
    ("a.b.c\n", "the token contains a line break"), ("a\r\nb", "the token contains a line break"),
    ("a b", "the token contains a space"), ("\u{FEFF}a", "the token contains a byte order mark"),
    ("", "the token is empty"),
    ("a\0", "the token contains a NUL"), ("é", "the token contains the character U+00E9"),
    ("a\u{7F}", "the token contains the character U+007F"),
  ]

  @Test(
    "a token that cannot be sent is refused with the reason, before the service is called", arguments: broken)
  func refused(token: String, words: String) async throws {
    for credentials in [Credentials.accessToken(token), .provider(Provider(token: token))] {
      // No service listens on this port; a call would fail with another error.
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
