import Crypto
import Foundation
import TestSupport

@testable import UserServiceClient

extension UserServiceClient.Configuration {
  /// A service on a port of this machine, with the patience that a busy machine needs.
  static func test(_ port: Int, _ credentials: Credentials = .anonymous) -> Self {
    var configuration = Self(ServerAddress("127.0.0.1:\(port)")!, credentials: credentials)
    configuration.timeout = .seconds(120)
    configuration.idleTimeout = .seconds(120)
    configuration.retries.attemptTimeout = .seconds(60)
    configuration.bulkBatch = 1_000
    configuration.longestRefresh = .seconds(120)
    return configuration
  }
}

extension [NewUser] {
  /// So many users that differ.
  static func numbered(_ count: Int) -> [NewUser] {
    (0..<count).map { NewUser(email: "user\($0)@example.com", name: "User \($0)") }
  }
}

extension UserStream {
  /// All users.
  func all() async throws(UserServiceError) -> [User] {
    var users: [User] = []
    for try await user in self { users.append(user) }
    return users
  }
}

/// Another issuer of tokens, with a key that it shares with the service: its tokens may be as old as they like.
struct OutsideIssuer {
  private let key = SymmetricKey(size: .bits256)
  private let file: String

  /// Writes its key where the service finds it.
  init(_ directory: TemporaryDirectory) throws {
    file = directory.path("jwks.json")
    let secret = key.withUnsafeBytes { Data($0) }.base64URL
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
    let signed = [#"{"alg": "HS256", "kid": "1", "typ": "at+jwt"}"#, claims].map { Data($0.utf8).base64URL }
      .joined(separator: ".")
    let signature = HMAC<SHA256>.authenticationCode(for: Data(signed.utf8), using: key)
    return signed + "." + Data(signature).base64URL
  }
}

extension Data {
  /// RFC 4648 §5, without padding.
  fileprivate var base64URL: String {
    base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }
}
