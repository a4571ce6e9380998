/// Who makes the calls.
public enum Credentials: Sendable {
  /// Nobody: enough to create a user and to sign in.
  case anonymous
  /// Whoever has that access token, such as `user-service token issue` prints.
  case accessToken(String)
  /// Whoever has signed in before. The client refreshes the tokens by itself.
  case tokens(Tokens)
  /// Whoever the provider says.
  case provider(any AccessTokenProvider)
}

extension Credentials: CustomStringConvertible {
  /// What they are, without a secret.
  public var description: String {
    switch self {
    case .anonymous: "nobody"
    case .accessToken: "an access token"
    case .tokens(let tokens): tokens.description
    case .provider: "a provider of access tokens"
    }
  }
}

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
