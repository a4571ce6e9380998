import GRPCCore
import PasswordHashing
import SwiftProtobuf
import TestSupport
import Testing
import UserDomain
import UserProtos
import UserStoreSQLite

@testable import UserAPI

/// Tests the messages of sessions with the real store and the real hasher.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct AuthServiceHandlerTests {
  private let clock = ManualClock()
  private let users: UserDirectory
  private let handler: AuthServiceHandler

  init() throws {
    let repository = try SQLiteUserRepository(.inMemory)
    let hasher = try Argon2idHasher(
      parameters: Argon2Parameters(memoryKiB: 7_168, iterations: 5, parallelism: 1))
    users = UserDirectory(repository: repository, hasher: hasher)
    handler = AuthServiceHandler(
      sessions: SessionDirectory(
        users: repository, sessions: repository,
        attempts: PasswordAttempts(repository) { [clock] in clock.now }, hasher: hasher,
        issuer: PlainIssuer(),
        key: [UInt8](repeating: 7, count: 32), clock: { [clock] in clock.now }),
      publicKeys: { [.init(kid: "key 1", x: "eA"), .init(kid: "key 2", x: "eQ")] }, calls: .test())
  }

  /// Issues tokens that are their subjects.
  private struct PlainIssuer: AccessTokenIssuer {
    func issue(_ claims: AccessTokenClaims) throws(UserError) -> String { claims.principal.subject }
  }

  private func createAda() async throws -> User {
    try await users.createUser(
      email: "ada@example.com", name: "", password: "correct horse",
      from: PeerNetwork(peer: "ipv4:192.0.2.1:1"),
      for: .service)
  }

  /// The caller of a call without a token.
  private func stranger(_ peer: String = "ipv4:192.0.2.1:50000") -> CallAuthorization {
    CallAuthorization(nil, peer: peer)
  }

  private func signIn(
    _ email: String = "ada@example.com", _ password: String = "correct horse", device: String = "",
    peer: String = "ipv4:192.0.2.1:50000"
  ) async throws -> Auth_V1_Tokens {
    try await handler.signIn(
      .with { ($0.email, $0.password, $0.refreshToken) = (email, password, device) }, by: stranger(peer))
  }

  private func refresh(_ token: String) async throws -> Auth_V1_Tokens {
    try await handler.refreshToken(.with { $0.refreshToken = token }, by: stranger())
  }

  @Test("a sign-in returns both tokens and their expiry times")
  func issuesTokens() async throws {
    let ada = try await createAda()
    let tokens = try await signIn()
    #expect(tokens.accessToken == "\(ada.id)")
    let now = clock.now.secondsAndNanos
    #expect(tokens.accessTokenExpiresAt.seconds == now.0 + 900)
    #expect(tokens.accessTokenExpiresAt.nanos == Int32(now.1))
    #expect(tokens.refreshTokenExpiresAt.seconds == now.0 + 30 * 86_400)
    await #expect(throws: UserError.wrongCredentials) { try await signIn("ada@example.com", "wrong horse") }
  }

  @Test("failures count against the network of the call's peer")
  func network() async throws {
    _ = try await createAda()
    for _ in 0..<5 {
      await #expect(throws: UserError.wrongCredentials) { try await signIn("ada@example.com", "wrong horse") }
    }
    await #expect(throws: UserError.tooManyAttempts(retryAfter: .seconds(1))) {
      try await signIn(peer: "ipv4:192.0.2.1:50001")
    }
    _ = try await signIn(peer: "ipv4:198.51.100.1:50000")
  }

  @Test("a refresh token gives new tokens until it is revoked")
  func refreshAndRevoke() async throws {
    _ = try await createAda()
    let first = try await signIn()
    let second = try await refresh(first.refreshToken)
    #expect(second.refreshToken != first.refreshToken)
    _ = try await handler.revokeToken(.with { $0.refreshToken = second.refreshToken }, by: stranger())
    await #expect(throws: UserError.unauthenticated(.revoked)) { try await refresh(second.refreshToken) }
  }

  @Test("public keys are published as JSON web keys (RFC 8037)")
  func keys() async throws {
    let set = try await handler.getJsonWebKeySet(.init(), by: stranger())
    #expect(set.keys.map(\.kid) == ["key 1", "key 2"])
    #expect(set.keys.map(\.x) == ["eA", "eQ"])
    for key in set.keys {
      #expect([key.kty, key.crv, key.alg, key.use] == ["OKP", "Ed25519", "EdDSA", "sig"])
    }
  }
}
