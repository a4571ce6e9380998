public import Foundation

/// The tokens that a sign-in or a refresh returns. Both are secrets.
public struct Tokens: Hashable, Sendable, Codable {
  /// The JWT that authenticates calls.
  public let accessToken: String
  /// When the access token expires.
  public let accessTokenExpiresAt: Date
  /// The token that is exchanged, once, for new tokens.
  public let refreshToken: String
  /// When the refresh token expires, unless it is exchanged before.
  public let refreshTokenExpiresAt: Date

  /// Creates tokens from their parts, such as an application has stored.
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
  /// The expiry times, without the tokens.
  public var description: String {
    "tokens until \(accessTokenExpiresAt), refreshable until \(refreshTokenExpiresAt)"
  }
}
