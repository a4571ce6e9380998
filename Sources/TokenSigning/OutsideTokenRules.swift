/// What the tokens of an outside issuer may be, and what they may say.
public struct OutsideTokenRules: Hashable, Sendable {
  /// Which kinds of JWT count as access tokens, by the header's `typ`.
  public enum TokenType: String, CaseIterable, Sendable {
    /// `at+jwt` alone (RFC 9068 §2.1), so that an ID token of the same issuer is refused (RFC 8725 §3.11).
    case accessToken = "at+jwt"
    /// Also `JWT`, or nothing: for issuers that do not mark their access tokens. Other kinds are refused.
    case any

    /// Whether a token with this `typ` is one: without regard to letter case (RFC 7515 §4.1.9).
    func includes(_ type: String?) -> Bool {
      switch (type?.lowercased(), self) {
      case ("at+jwt", _), ("application/at+jwt", _), (nil, .any), ("jwt", .any): true
      default: false
      }
    }
  }

  /// Which kinds of JWT count, `at+jwt` by default.
  public var type: TokenType
  /// The longest time between `iat` and `exp`, a day by default. Without `iat`, between the call and `exp`.
  public var longestLifetime: Duration
  /// Whether a token whose `sub` is a user's id speaks for that user, which it does by default. If not, its scopes alone
  /// count.
  public var mayBeUsers: Bool

  /// Rules, by default as above.
  public init(
    type: TokenType = .accessToken, longestLifetime: Duration = .seconds(86_400), mayBeUsers: Bool = true
  ) {
    self.type = type
    self.longestLifetime = longestLifetime
    self.mayBeUsers = mayBeUsers
  }
}
