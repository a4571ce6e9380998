/// The reason why a token is not accepted.
public enum TokenFault: Hashable, Sendable {
  /// The call has no token.
  case missing
  /// The text is not a token.
  case malformed
  /// The token is not signed by a trusted issuer with one of its keys and algorithms, or not meant for this service.
  case untrusted
  /// The token names a key that its issuer did not have when the service last read the issuer's keys. Clients see the
  /// same error as for `untrusted`.
  case unknownKey
  /// The token is not valid yet.
  case notYetValid
  /// The token has expired.
  case expired
  /// The token was revoked before it expired.
  case revoked
}
