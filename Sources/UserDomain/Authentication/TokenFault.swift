/// Why a token is not accepted.
public enum TokenFault: Hashable, Sendable {
  /// There is none.
  case missing
  /// The text is no token.
  case malformed
  /// It is not signed by somebody whom the service trusts, with a key and an algorithm of theirs, or not
  /// meant for this service.
  case untrusted
  /// It names a key that its issuer did not have when the service read the issuer's keys last. Clients are told the same
  /// as for `untrusted`.
  case unknownKey
  /// It is good only from a later time on.
  case notYetValid
  /// Its time is over.
  case expired
  /// It was revoked before its time was over.
  case revoked
}
