public import Foundation

/// What a sign-in gives, and a refresh gives anew. Both tokens are secrets.
public struct Tokens: Hashable, Sendable, Codable {
  /// The JWT that calls are made with.
  public let accessToken: String
  /// When the access token ends.
  public let accessTokenExpiresAt: Date
  /// What is exchanged for new tokens, once.
  public let refreshToken: String
  /// When the refresh token ends, unless it is exchanged before.
  public let refreshTokenExpiresAt: Date

  /// Tokens made of their parts, such as an application has kept.
  public init(
    accessToken: String, accessTokenExpiresAt: Date, refreshToken: String, refreshTokenExpiresAt: Date
  ) {
    self.accessToken = accessToken
    self.accessTokenExpiresAt = accessTokenExpiresAt
    self.refreshToken = refreshToken
    self.refreshTokenExpiresAt = refreshTokenExpiresAt
  }
}

extension Tokens: CustomStringConvertible {
  /// When they end; never what they are.
  public var description: String {
    "tokens until \(accessTokenExpiresAt), to be refreshed until \(refreshTokenExpiresAt)"
  }
}
