import AsyncAlgorithms
public import Foundation
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

  // MARK: Users

  /// Returns the user with this id.
  ///
  /// - Throws: `UserServiceError.userNotFound`, and the errors of every call.
  public func getUser(id: String) async throws(UserServiceError) -> User {
    try await caller.call(.user(id: id), tokens: tokens) { attempt in
      User(
        try await users.getUser(
          .with { $0.userID = id }, metadata: attempt.metadata, options: attempt.options))
    }
  }

  /// Creates one active user. When the call returns, the user is on the service's disk.
  ///
  /// - Parameters:
  ///   - user: the user to create.
  /// - requestID: the request id, which makes the call idempotent. A retry with the same id and user within 24 hours
  ///   returns the user that the first call created.
  /// - Throws: `UserServiceError.invalidUser`, `.emailAlreadyRegistered`, `.peerLimitExceeded`, and the errors of
  ///   every call.
  public func createUser(
    _ user: NewUser, requestID: UUID = UUID()
  ) async throws(UserServiceError) -> User {
    let request = User_V1_CreateUserRequest(user, requestID: requestID)
    return try await caller.call(.change(), tokens: tokens) { attempt in
      User(try await users.createUser(request, metadata: attempt.metadata, options: attempt.options))
    }
  }

  /// Changes one user, and returns it as stored.
  ///
  /// A change of the address or name is retried when a response is lost, and may then undo another caller's change
  /// made in between. A change of the password or status is not retried, because it revokes the user's tokens; after
  /// `unavailable` or `deadlineExceeded` its effect is unknown.
  ///
  /// - Throws: `UserServiceError.userNotFound`, `.invalidUser`, `.emailAlreadyRegistered`,
  ///   `.currentPasswordRequired`, `.wrongCurrentPassword`, and the errors of every call.
  public func updateUser(_ update: UserUpdate) async throws(UserServiceError) -> User {
    let request = User_V1_UserUpdateRequest(update)
    return try await caller.call(
      .change(userID: update.userID), tokens: tokens,
      isRepeatable: update.password == nil && update.status == nil
    ) { attempt in
      try await users.userUpdates(metadata: attempt.metadata, options: attempt.options) { writer in
        try await writer.write(request)
      } onResponse: { response in
        var updated: User?
        for try await message in response.messages { updated = User(message) }
        guard let updated else {
          throw RPCError(code: .internalError, message: "the service sent no response")
        }
        return updated
      }
    }
  }

  /// Returns every user that exists when the call begins, by ascending id. An interrupted listing continues after the
  /// last page. Each user is returned once; users created meanwhile may follow.
  ///
  /// - Parameter pageSize: the number of users that are read at a time: 1 to 1,000.
  public func listUsers(pageSize: Int = 100) -> UserStream {
    let tokens = tokens
    return UserStream(calls: calls) { [caller, users] pages async throws(UserServiceError) in
      let position = PagePosition(pages)
      try await caller.stream(tokens: tokens) { attempt, idle in
        let request = User_V1_ListUsersRequest.with {
          $0.pageSize = Int32(clamping: pageSize)
          $0.pageToken = position.token
        }
        try await users.listUsers(request, metadata: attempt.metadata, options: attempt.options) { response in
          try await position.receive(response.messages, attempt, idle) { (User($0), $0.pageToken) }
        }
      }
    }
  }

  /// Applies updates one after another as they arrive, and returns each user as stored, in order. Iterate over the
  /// result once.
  ///
  /// The call is not retried. After an error, the updates before the index of `UserServiceError.updateFailed` are
  /// done; the effect of updates after the last returned user is unknown.
  public func userUpdates<Updates: AsyncSequence & Sendable>(_ updates: Updates) -> UserStream
  where Updates.Element == UserUpdate, Updates.Failure == Never {
    let tokens = tokens
    return UserStream(calls: calls) { [caller, users] pages async throws(UserServiceError) in
      let unanswered = UnansweredUpdates()
      try await caller.stream(.change(), tokens: tokens, isRepeatable: false) { attempt, idle in
        try await users.userUpdates(metadata: attempt.metadata, options: attempt.options) { writer in
          // The connection exists, and no response is due yet.
          try idle.pause()
          for await update in updates {
            unanswered.sent(idle)
            try await writer.write(User_V1_UserUpdateRequest(update))
          }
        } onResponse: { response in
          do {
            for try await message in response.messages {
              try unanswered.received(idle)
              await pages.send([User(message)])
              unanswered.taken(idle)
              try Task.checkCancellation()
            }
          } catch let error as RPCError {
            guard let index = error.updateIndex else { throw error }
            throw UserServiceError.updateFailed(index: index, UserServiceError(error, .change()))
          }
        }
      }
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
