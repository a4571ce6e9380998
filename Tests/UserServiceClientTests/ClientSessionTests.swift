import AsyncAlgorithms
import Foundation
import Synchronization
import TestSupport
import Testing
import UserServiceClient

/// Sign-ins and tokens of the client against the real service.
@Suite(.tags(.heavy), .fewAtOnce, .timeLimit(.minutes(10))) struct ClientSessionTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  @Test("a sign-in lasts: its tokens are refreshed, its owner is told of them, and a sign-out ends them")
  func session() async throws {
    let service = try await RunningService.forClient(
      in: directory, auth: true, environment: ["USER_SERVICE_AUTH_ACCESS_LIFETIME": "1s"])
    let changes = Mutex<[Tokens?]>([])
    var configuration = UserServiceClient.Configuration.test(service.port)
    configuration.tokensChanged = { tokens in changes.withLock { $0.append(tokens) } }
    let ada = try await withUserServiceClient(configuration) { client in
      let ada = try await client.createUser(NewUser(email: "ada@example.com", password: "correct horse"))
      let tokens = try await client.signIn(email: "ada@example.com", password: "correct horse")
      #expect(changes.withLock { $0 } == [tokens])
      // Tokens of a second are too short for a call: each has its own.
      #expect(try await client.getUser(id: ada.id) == ada)
      #expect(try await client.getUser(id: ada.id) == ada)
      #expect(changes.withLock { $0.count } == 3)
      return ada
    }
    let kept = try #require(changes.withLock { $0.last } ?? nil)
    configuration.credentials = .tokens(kept)
    try await withUserServiceClient(configuration) { client in
      #expect(try await client.getUser(id: ada.id) == ada)
      try await client.signOut()
      #expect(changes.withLock { $0.last } == .some(nil))
      await #expect(throws: UserServiceError.unauthenticated(.missing)) {
        try await client.getUser(id: ada.id)
      }
      try await client.signOut()
    }
    configuration.credentials = .tokens(kept)
    try await withUserServiceClient(configuration) { client in
      await #expect(throws: UserServiceError.unauthenticated(.revoked)) {
        try await client.getUser(id: ada.id)
      }
      await #expect(throws: UserServiceError.unauthenticated(.revoked)) {
        try await client.refresh(kept.refreshToken)
      }
    }
    await service.stop()
  }

  @Test("a stream of updates whose token has expired fails, and is not begun again")
  func expiredUpdates() async throws {
    let issuer = try OutsideIssuer(directory)
    let service = try await RunningService.forClient(
      in: directory, auth: true, environment: issuer.environment)
    let provider = RenewableToken(issuer.token(lifetime: -60)) { issuer.token(lifetime: 600) }
    try await withUserServiceClient(.test(service.port, .provider(provider))) { client in
      // Which error it is, the transport of the client cannot always tell: the service ends the call while the client
      // still sends, and on a busy machine the end of the stream is noticed before its status.
      await #expect(throws: UserServiceError.self) {
        for try await _ in client.userUpdates([UserUpdate(userID: "x", name: "y")].async) {}
      }
    }
    #expect(provider.renewals == 0)
    await service.stop()
  }

  @Test("a token that the service finds expired is replaced, and the call made again")
  func replaced() async throws {
    let issuer = try OutsideIssuer(directory)
    let service = try await RunningService.forClient(
      in: directory, auth: true, environment: issuer.environment)
    let provider = RenewableToken(issuer.token(lifetime: -60)) { issuer.token(lifetime: 600) }
    try await withUserServiceClient(.test(service.port, .provider(provider))) { client in
      let users = try await client.listUsers().all()
      #expect(users.isEmpty)
      await #expect(throws: UserServiceError.userNotFound(id: "x")) { try await client.getUser(id: "x") }
    }
    #expect(provider.renewals == 1)
    await service.stop()
  }

  /// Gives the same token until it is refused.
  private final class RenewableToken: AccessTokenProvider {
    private let state: Mutex<(token: String, renewals: Int)>
    private let renew: @Sendable () -> String

    init(_ first: String, renew: @escaping @Sendable () -> String) {
      state = Mutex((first, 0))
      self.renew = renew
    }

    var renewals: Int { state.withLock { $0.renewals } }

    func accessToken(replacing refused: String?) async throws -> String? {
      state.withLock { state in
        if refused == state.token { state = (renew(), state.renewals + 1) }
        return state.token
      }
    }
  }
}
