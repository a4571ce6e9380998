/// Provides access tokens to a client. Called from any task, possibly concurrently.
public protocol AccessTokenProvider: Sendable {
  /// Returns the token for the next call, or nil to call without one.
  ///
  /// - Parameter refused: the token that the service has just refused, if any. Returning the same token again makes
  ///   the call fail.
  /// - Throws: the error with which the call fails.
  func accessToken(replacing refused: String?) async throws -> String?
}

/// A constant access token, or none.
struct FixedAccessToken: AccessTokenProvider {
  let token: String?

  func accessToken(replacing refused: String?) async throws -> String? { token }
}
