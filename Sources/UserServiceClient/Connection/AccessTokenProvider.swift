/// Gives a client its access tokens. Called from any task, and by several at once.
public protocol AccessTokenProvider: Sendable {
  /// The token for the next call, or nil to call without one.
  ///
  /// - Parameter refused: the token that the service has just refused, if it has: another one is wanted. The same
  ///   one again makes the call fail.
  /// - Throws: whatever the call is to fail with.
  func accessToken(replacing refused: String?) async throws -> String?
}

/// An access token that never changes, or none.
struct FixedAccessToken: AccessTokenProvider {
  let token: String?

  func accessToken(replacing refused: String?) async throws -> String? { token }
}
