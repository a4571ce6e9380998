public import GRPCCore
import SwiftProtobuf
public import UserDomain
public import UserProtos

/// `auth.v1.AuthService`: turns messages into the use cases of sessions and back. Errors are mapped by
/// ``ErrorInterceptor``.
public struct AuthServiceHandler: Auth_V1_AuthService.SimpleServiceProtocol {
  private let sessions: SessionDirectory
  private let publicKeys: @Sendable () -> [AccessTokenKey]

  /// The service over the use cases of `sessions`, and the keys as they are when they are asked for.
  public init(sessions: SessionDirectory, publicKeys: @escaping @Sendable () -> [AccessTokenKey]) {
    self.sessions = sessions
    self.publicKeys = publicKeys
  }

  public func signIn(request: Auth_V1_SignInRequest, context: ServerContext) async throws -> Auth_V1_Tokens {
    let caller = CallAuthorization.current ?? CallAuthorization(peer: context.remotePeer)
    return Auth_V1_Tokens(
      try await sessions.signIn(
        email: request.email, password: request.password, from: caller.network,
        knownDevice: request.refreshToken,
        for: caller.hashRequester))
  }

  public func refreshToken(
    request: Auth_V1_RefreshTokenRequest, context: ServerContext
  ) async throws -> Auth_V1_Tokens {
    Auth_V1_Tokens(try await sessions.refresh(request.refreshToken))
  }

  public func revokeToken(
    request: Auth_V1_RevokeTokenRequest, context: ServerContext
  ) async throws -> Auth_V1_RevokeTokenResponse {
    try await sessions.revoke(request.refreshToken)
    return Auth_V1_RevokeTokenResponse()
  }

  public func getJsonWebKeySet(
    request: Auth_V1_GetJsonWebKeySetRequest, context: ServerContext
  ) async throws -> Auth_V1_JsonWebKeySet {
    .with { set in
      set.keys = publicKeys().map { key in
        .with {
          ($0.kty, $0.crv, $0.x) = ("OKP", "Ed25519", key.x)
          ($0.kid, $0.alg, $0.use) = (key.kid, "EdDSA", "sig")
        }
      }
    }
  }
}

extension Auth_V1_Tokens {
  fileprivate init(_ pair: TokenPair) {
    self.init()
    accessToken = pair.accessToken
    accessTokenExpiresAt = Google_Protobuf_Timestamp(pair.accessTokenExpiresAt)
    refreshToken = pair.refreshToken
    refreshTokenExpiresAt = Google_Protobuf_Timestamp(pair.refreshTokenExpiresAt)
  }
}

extension Google_Protobuf_Timestamp {
  fileprivate init(_ time: Timestamp) {
    let (seconds, nanos) = time.secondsAndNanos
    self.init(seconds: seconds, nanos: Int32(nanos))
  }
}
