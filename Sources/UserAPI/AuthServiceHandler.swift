public import GRPCCore
import SwiftProtobuf
public import UserDomain
import UserProtos

/// `auth.v1.AuthService`: maps messages to the session use cases and back.
public struct AuthServiceHandler: Sendable {
  private typealias Methods = Auth_V1_AuthService.Method

  private let sessions: SessionDirectory
  private let publicKeys: @Sendable () -> [AccessTokenKey]
  private let calls: CallPipeline

  /// Creates the service over the use cases of `sessions`. `publicKeys` returns the current keys; calls go through
  /// `calls`.
  public init(
    sessions: SessionDirectory, publicKeys: @escaping @Sendable () -> [AccessTokenKey], calls: CallPipeline
  ) {
    self.sessions = sessions
    self.publicKeys = publicKeys
    self.calls = calls
  }

  /// Registers the handlers of the four methods.
  public func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    calls.register(Methods.SignIn.descriptor, with: &router, signIn)
    calls.register(Methods.RefreshToken.descriptor, with: &router, refreshToken)
    calls.register(Methods.RevokeToken.descriptor, with: &router, revokeToken)
    calls.register(Methods.GetJsonWebKeySet.descriptor, with: &router, getJsonWebKeySet)
  }

  func signIn(_ request: Auth_V1_SignInRequest, by authorization: CallAuthorization) async throws
    -> Auth_V1_Tokens
  {
    Auth_V1_Tokens(
      try await sessions.signIn(
        email: request.email, password: request.password, from: authorization.caller.network,
        knownDevice: request.refreshToken, for: authorization.caller.hashRequester))
  }

  func refreshToken(
    _ request: Auth_V1_RefreshTokenRequest, by authorization: CallAuthorization
  ) async throws -> Auth_V1_Tokens {
    Auth_V1_Tokens(try await sessions.refresh(request.refreshToken))
  }

  func revokeToken(
    _ request: Auth_V1_RevokeTokenRequest, by authorization: CallAuthorization
  ) async throws -> Auth_V1_RevokeTokenResponse {
    try await sessions.revoke(request.refreshToken)
    return Auth_V1_RevokeTokenResponse()
  }

  func getJsonWebKeySet(
    _ request: Auth_V1_GetJsonWebKeySetRequest, by authorization: CallAuthorization
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
