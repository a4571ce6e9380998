public import UserDomain

/// A token that was revoked alone.
public struct RevokedToken: Hashable, Sendable {
  /// The retention of a revocation after its token has expired: a day, so that a clock that was ahead makes no token
  /// valid again.
  public static let margin: Duration = .seconds(86_400)

  /// The token's id.
  public let id: TokenID
  /// The token's subject; nil if only the id was given.
  public let subject: String?
  /// The time when the token expires; nil if only the id was given.
  public let expiresAt: Timestamp?
  /// The time of the first revocation.
  public let revokedAt: Timestamp

  /// Creates a revoked token.
  public init(id: TokenID, subject: String?, expiresAt: Timestamp?, revokedAt: Timestamp) {
    self.id = id
    self.subject = subject
    self.expiresAt = expiresAt
    self.revokedAt = revokedAt
  }
}

/// The tokens that an operator revokes one by one, in a database that a service may be serving. The commands use it.
///
/// Every call opens the database, does its work and closes it.
public protocol TokenRevocations: Sendable {
  /// Revokes `token`. A running service learns of it within a second. Revocations of long-expired tokens are deleted.
  ///
  /// - Parameter longest: the maximum lifetime of a token whose expiry is unknown.
  /// - Returns: whether the token was not revoked yet.
  /// - Throws: `StoreError`, also if migrations are not applied.
  func revoke(_ token: RevokedToken, longest: Duration) throws(StoreError) -> Bool

  /// Returns the stored revocations, in the order of revocation.
  ///
  /// - Throws: `StoreError`, also if migrations are not applied.
  func list() throws(StoreError) -> [RevokedToken]

  /// Returns the epoch that tokens of `user` must have; nil if the user is inactive, deleted or unknown.
  ///
  /// - Throws: `StoreError`, also if migrations are not applied.
  func epoch(of user: UserID) throws(StoreError) -> Int64?
}

extension RevokedToken {
  /// The time until which the revocation is kept, if a token whose expiry is unknown lives for at most `longest`.
  package func keptUntil(longest: Duration) -> Timestamp {
    (expiresAt ?? revokedAt + longest) + Self.margin
  }
}
