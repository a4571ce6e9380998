/// The rules for the tokens of an outside issuer.
public struct OutsideTokenRules: Hashable, Sendable {
  /// The kinds of JWT that count as access tokens, by the header's `typ`.
  public enum TokenType: String, CaseIterable, Sendable {
    /// Only `at+jwt` (RFC 9068 §2.1), so that an ID token of the same issuer is refused (RFC 8725 §3.11).
    case accessToken = "at+jwt"
    /// Also `JWT` or no `typ`, for issuers that do not mark their access tokens. Other kinds are refused.
    case any

    /// Returns whether a token with this `typ` counts, in any letter case (RFC 7515 §4.1.9).
    func includes(_ type: String?) -> Bool {
      switch (type?.lowercased(), self) {
      case ("at+jwt", _), ("application/at+jwt", _), (nil, .any), ("jwt", .any): true
      default: false
      }
    }
  }

  /// The accepted kinds of JWT, `at+jwt` by default.
  public var type: TokenType
  /// The maximum time between `iat` and `exp`, a day by default. Without `iat`, between the call and `exp`.
  public var longestLifetime: Duration
  /// Whether a token whose `sub` is a user's id speaks for that user; true by default. If false, only its scopes count.
  public var mayBeUsers: Bool

  /// Creates rules with the defaults above.
  public init(
    type: TokenType = .accessToken, longestLifetime: Duration = .seconds(86_400), mayBeUsers: Bool = true
  ) {
    self.type = type
    self.longestLifetime = longestLifetime
    self.mayBeUsers = mayBeUsers
  }
}
