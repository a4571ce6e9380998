/// The identity with which a client makes calls.
public enum Credentials: Sendable {
  /// No identity: sufficient to create a user and to sign in.
  case anonymous
  /// An access token, such as `user-service token issue` prints.
  case accessToken(String)
  /// The tokens of an earlier sign-in. The client refreshes them.
  case tokens(Tokens)
  /// The tokens that the provider returns.
  case provider(any AccessTokenProvider)
}

extension Credentials: CustomStringConvertible {
  /// The kind of credentials, without secrets.
  public var description: String {
    switch self {
    case .anonymous: "nobody"
    case .accessToken: "an access token"
    case .tokens(let tokens): tokens.description
    case .provider: "a provider of access tokens"
    }
  }
}
