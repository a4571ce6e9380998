import GRPCCore
import GRPCNIOTransportHTTP2
import SwiftProtobuf
import Synchronization
import UserProtos

/// A client of user-service, valid while ``withUserServiceClient(_:isolation:_:)`` runs.
///
/// Every call has a deadline, is retried if it is idempotent (``RetryPolicy``), and ends when its task is cancelled.
/// Every error is a ``UserServiceError``. Any number of tasks may use a client; they share one connection.
public struct UserServiceClient: Sendable {
  typealias Users = User_V1_UserService.Client<HTTP2ClientTransport.Posix>
  private typealias Auth = Auth_V1_AuthService.Client<HTTP2ClientTransport.Posix>

  let caller: Caller
  var configuration: Configuration { caller.configuration }
  let users: Users
  private let auth: Auth
  private let identity: Identity
  var tokens: any AccessTokenProvider { identity.provider }
  let calls = RunningCalls()

  init(_ client: GRPCClient<HTTP2ClientTransport.Posix>, _ configuration: Configuration) {
    caller = Caller(client: client, configuration: configuration)
    users = Users(wrapping: client)
    auth = Auth(wrapping: client)
    identity = Identity()
    switch configuration.credentials {
    case .anonymous: break
    case .accessToken(let token): identity.provider = FixedAccessToken(token: token)
    case .provider(let provider): identity.provider = provider
    case .tokens(let tokens): identity.provider = session(tokens)
    }
  }

  /// The current token provider, which a sign-in replaces.
  private final class Identity: Sendable {
    private let current = Mutex<any AccessTokenProvider>(FixedAccessToken(token: nil))

    var provider: any AccessTokenProvider {
      get { current.withLock { $0 } }
      set { current.withLock { $0 = newValue } }
    }
  }

  // MARK: Sessions

  /// Signs in. The client then makes its calls as this user until ``signOut()``, and refreshes the tokens when
  /// needed.
  ///
  /// - Parameter knownDevice: a refresh token of an earlier sign-in to the same account on this device; it need not
  ///   be valid any more. It exempts the device from limits caused by failed attempts elsewhere. By default, that of
  ///   this client's session, if any.
  /// - Throws: `UserServiceError.wrongCredentials`, `.tooManyAttempts`, `.signInDisabled`, `.peerLimitExceeded`, and
  ///   the errors of every call.
  @discardableResult
  public func signIn(
    email: String, password: String, knownDevice: String? = nil
  ) async throws(UserServiceError) -> Tokens {
    var device = knownDevice ?? ""
    if knownDevice == nil, let session = identity.provider as? SignedInSession {
      device = await session.newestTokens.refreshToken
    }
    let request = Auth_V1_SignInRequest.with {
      ($0.email, $0.password, $0.refreshToken) = (email, password, device)
    }
    let message = try await caller.call(tokens: nil) { attempt in
      try await auth.signIn(request, metadata: attempt.metadata, options: attempt.options)
    }
    let tokens = Tokens(message)
    identity.provider = session(tokens)
    caller.configuration.tokensChanged(tokens)
    return tokens
  }

  /// Exchanges a refresh token for new tokens without using them in this client, for applications that manage
  /// sessions themselves.
  ///
  /// - Throws: `UserServiceError.unauthenticated`, and the errors of every call.
  public func refresh(_ refreshToken: String) async throws(UserServiceError) -> Tokens {
    try await Self.refresh(refreshToken, caller, auth)
  }

  /// Ends this client's session and revokes its tokens. Does nothing without a session.
  ///
  /// - Throws: the errors of every call.
  public func signOut() async throws(UserServiceError) {
    guard let session = identity.provider as? SignedInSession else { return }
    let refreshToken = await session.newestTokens.refreshToken
    _ = try await caller.call(tokens: nil) { attempt in
      try await auth.revokeToken(
        .with { $0.refreshToken = refreshToken }, metadata: attempt.metadata, options: attempt.options)
    }
    identity.provider = FixedAccessToken(token: nil)
    configuration.tokensChanged(nil)
  }

  private func session(_ tokens: Tokens) -> SignedInSession {
    SignedInSession(tokens) { [caller, auth] refreshToken in
      try await Self.refresh(refreshToken, caller, auth)
    } changed: { [identity, changed = configuration.tokensChanged] session, tokens in
      // Changes of a session that another sign-in or a sign-out has replaced are not reported.
      if identity.provider as? SignedInSession === session { changed(tokens) }
    }
  }

  private static func refresh(
    _ refreshToken: String, _ caller: Caller, _ auth: Auth
  ) async throws(UserServiceError) -> Tokens {
    Tokens(
      try await caller.call(tokens: nil, longest: caller.configuration.longestRefresh) { attempt in
        try await auth.refreshToken(
          .with { $0.refreshToken = refreshToken }, metadata: attempt.metadata, options: attempt.options)
      })
  }
}
