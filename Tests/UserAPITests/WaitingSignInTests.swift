import PasswordHashing
import SwiftProtobuf
import TestSupport
import Testing
import UserDomain
import UserProtos
import UserStoreSQLite

@testable import UserAPI

/// Tests SignIn over a store whose reads wait: the outcomes are those of a store whose reads do not.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct WaitingSignInTests {
  private let repository: SQLiteUserRepository
  private let hasher: Argon2idHasher
  private let clock = ManualClock()

  init() throws {
    repository = try SQLiteUserRepository(.inMemory)
    hasher = try Argon2idHasher(
      parameters: Argon2Parameters(memoryKiB: 7_168, iterations: 5, parallelism: 1))
  }

  private func create(_ name: String) async throws -> User {
    try await UserDirectory(repository: repository, hasher: hasher).createUser(
      email: "\(name)@example.com", name: name, password: "correct horse", for: .service)
  }

  /// Issues tokens that are their subjects.
  private struct PlainIssuer: AccessTokenIssuer {
    func issue(_ claims: AccessTokenClaims) throws(UserError) -> String { claims.principal.subject }
  }

  /// Returns the outcomes of sign-ins with the session directory's own reads waiting, or not.
  private func signIns(readsWait: Bool, as user: User) async throws -> [String] {
    let store = WaitingStore(repository)
    let attempts = PasswordAttempts(readsWait ? store : repository) { [clock] in clock.now }
    let handler = AuthServiceHandler(
      sessions: SessionDirectory(
        users: readsWait ? store : repository, sessions: repository, attempts: attempts, hasher: hasher,
        issuer: PlainIssuer(), key: [UInt8](repeating: 7, count: 32), clock: { [clock] in clock.now }),
      publicKeys: { [] }, calls: .test())
    var outcomes: [String] = []
    func signIn(_ email: String, _ password: String, device: String = "") async throws -> Auth_V1_Tokens? {
      do {
        let tokens = try await handler.signIn(
          .with { ($0.email, $0.password, $0.refreshToken) = (email, password, device) },
          by: CallAuthorization(nil, peer: "ipv4:192.0.2.1:50000"))
        outcomes.append(tokens.accessToken == "\(user.id)" ? "signed in" : tokens.accessToken)
        return tokens
      } catch let error as UserError {
        outcomes.append("\(error)")
        return nil
      }
    }
    let email = user.email.address
    let device = try #require(try await signIn(email, "correct horse"))
    for _ in 0..<6 { _ = try await signIn(email, "wrong horse") }
    _ = try await signIn(email, "correct horse")
    _ = try await signIn(email, "correct horse", device: device.refreshToken)
    for email in ["nobody@example.com", "no address"] {
      _ = try await signIn(email, "correct horse", device: device.refreshToken)
    }
    return outcomes
  }

  @Test("sign-ins succeed, fail and are limited alike")
  func signIn() async throws {
    let (ada, bob) = (try await create("ada"), try await create("bob"))
    let outcomes = try await signIns(readsWait: false, as: ada)
    #expect(outcomes == (try await signIns(readsWait: true, as: bob)))
    #expect(outcomes[0] == "signed in")
    #expect(outcomes[1...5].allSatisfy { $0 == "\(UserError.wrongCredentials)" })
    #expect(outcomes[6] == "\(UserError.tooManyAttempts(retryAfter: .seconds(1)))")
    #expect(outcomes[7] == outcomes[6] && outcomes[8] == "signed in")
  }
}
