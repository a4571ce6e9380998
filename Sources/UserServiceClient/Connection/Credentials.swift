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
