import Primitives

/// Checks access tokens before they are sent.
enum AccessTokenProblem {
  /// Describes the problem of `token` as the predicate of a sentence; nil if the token can be sent.
  ///
  /// A bearer token is visible ASCII (RFC 6750 §2.1). A line break or NUL in a field value makes HTTP/2 reset the
  /// stream (RFC 9113 §8.2.1), which would look like an unavailable service.
  static func description(_ token: String) -> String? {
    if token.isEmpty { return "is empty" }
    guard let scalar = token.unicodeScalars.first(where: { !(0x21...0x7E).contains($0.value) }) else {
      return nil
    }
    switch scalar {
    case "\n", "\r": return "contains a line break"
    case " ", "\t": return "contains a space"
    case "\0": return "contains a NUL"
    case "\u{FEFF}": return "contains a byte order mark"
    default: return "contains the character \(scalar.codePoint)"
    }
  }
}
