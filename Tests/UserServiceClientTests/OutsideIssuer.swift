import Crypto
import Foundation
import Primitives
import TestSupport

/// Another issuer of tokens, with a key that it shares with the service: its tokens may be as old as they like.
struct OutsideIssuer {
  private let key = SymmetricKey(size: .bits256)
  private let file: String

  /// Writes its key where the service finds it.
  init(_ directory: TemporaryDirectory) throws {
    file = directory.path("jwks.json")
    let secret = key.withUnsafeBytes { Base64URL.encode($0) }
    let keys = #"{"keys": [{"kty": "oct", "alg": "HS256", "kid": "1", "k": "\#(secret)"}]}"#
    guard
      FileManager.default.createFile(
        atPath: file, contents: Data(keys.utf8), attributes: [.posixPermissions: 0o600])
    else { throw CocoaError(.fileWriteUnknown) }
  }

  /// What makes the service trust it.
  var environment: [String: String] {
    [
      "USER_SERVICE_AUTH_JWKS_FILE": file, "USER_SERVICE_AUTH_JWKS_ISSUER": "elsewhere",
      "USER_SERVICE_AUTH_JWKS_ALGORITHMS": "HS256",
    ]
  }

  /// A token that may read users (RFC 7519).
  func token(lifetime: TimeInterval) -> String {
    let end = Int(Date().timeIntervalSince1970 + lifetime)
    let claims =
      #"{"iss": "elsewhere", "aud": "user-service", "sub": "reader", "scope": "users:read", "iat": \#(end - 7200), "exp": \#(end)}"#
    let signed = [#"{"alg": "HS256", "kid": "1", "typ": "at+jwt"}"#, claims].map { Base64URL.encode($0.utf8) }
      .joined(separator: ".")
    let signature = HMAC<SHA256>.authenticationCode(for: Data(signed.utf8), using: key)
    return signed + "." + Base64URL.encode(signature)
  }
}
