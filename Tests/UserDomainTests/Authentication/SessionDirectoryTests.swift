import PasswordHashing
import Primitives
import TestSupport
import Testing
import UserStoreSQLite

@testable import UserDomain

/// Tests sign-in with the real store and the real hasher, and a manual clock.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct SessionDirectoryTests {
  private let repository: SQLiteUserRepository
  private let users: UserDirectory
  private let clock = ManualClock()
  private let hasher: Argon2idHasher
  private let attempts: PasswordAttempts
  private let password = "correct horse"
  private let email = "ada@example.com"

  init() throws {
    repository = try SQLiteUserRepository(.inMemory)
    hasher = try Argon2idHasher(parameters: Argon2Parameters(memoryKiB: 7_168, iterations: 5, parallelism: 1))
    users = UserDirectory(repository: repository, hasher: hasher)
    attempts = PasswordAttempts(repository) { [clock] in clock.now }
  }

  /// Issues tokens that are readable claims.
  private struct PlainIssuer: AccessTokenIssuer {
    func issue(_ claims: AccessTokenClaims) throws(UserError) -> String {
      "\(claims.principal.subject) \(claims.epoch ?? -1) \(claims.session?.description ?? "")"
    }
  }

  private func directory(
    _ hasher: (any PasswordHasher)? = nil, sessions: (any SessionRepository)? = nil
  ) -> SessionDirectory {
    SessionDirectory(
      users: repository, sessions: sessions ?? repository, attempts: attempts, hasher: hasher ?? self.hasher,
      issuer: PlainIssuer(),
      key: [UInt8](repeating: 7, count: 32), clock: { [clock] in clock.now })
  }

  private func isRevoked(_ tokens: TokenPair) throws -> Bool {
    let parts = tokens.accessToken.split(separator: " ")
    return repository.revocations.isRevoked(
      AccessTokenClaims(
        principal: Principal(subject: String(parts[0]), scopes: []), issuedAt: clock.now,
        expiresAt: clock.now,
        session: Base64URL.decode(parts[2]).flatMap { SessionID(bytes: $0) }, epoch: Int64(parts[1])))
  }

  @Test("the right password gives tokens, for the address in any letter case")
  func signIn() async throws {
    let user = try await users.createUser(email: email, name: "", password: password)
    let tokens = try await directory().signIn(email: " ADA@example.com", password: password)
    #expect(tokens.accessToken.hasPrefix("\(user.id) 0 "))
    #expect(tokens.accessTokenExpiresAt == clock.now + .seconds(900))
    #expect(tokens.refreshTokenExpiresAt == clock.now + .seconds(30 * 86_400))
  }

  @Test(
    "an unknown address, a wrong or short password, an inactive user and one without a password fail alike")
  func refusals() async throws {
    _ = try await users.createUser(email: email, name: "", password: password)
    _ = try await users.createUser(email: "nopass@example.com", name: "", password: "")
    let inactive = try await users.createUser(email: "off@example.com", name: "", password: password)
    _ = try await users.updateUser(id: "\(inactive.id)", status: UserStatus.inactive.rawValue)
    for (email, password) in [
      (email, "wrong horse"), (email, "x"), ("nobody@example.com", password),
      ("nopass@example.com", password),
      ("off@example.com", password), ("off@example.com", "wrong horse"),
    ] {
      await #expect(throws: UserError.wrongCredentials) {
        try await directory().signIn(email: email, password: password)
      }
    }
  }

  @Test("every refusal has checked one hash, as expensive as a new one")
  func sameWork() async throws {
    let counting = CountingHasher(hasher)
    _ = try await users.createUser(email: email, name: "", password: password)
    for address in [email, "nobody@example.com"] {
      // The sign-in is refused; the test needs only the attempt.
      _ = try? await directory(counting).signIn(email: address, password: "wrong horse")
    }
    #expect(counting.costs == ["m=7168,t=5,p=1", "m=7168,t=5,p=1"])
  }

  @Test("an invalid address or password is named")
  func invalid() async throws {
    let error = await #expect(throws: UserError.self) {
      try await directory().signIn(email: "ada", password: "")
    }
    guard case .invalid(let violations) = error else {
      Issue.record("not invalid: \(String(describing: error))")
      return
    }
    #expect(violations.map(\.field) == ["email", "password"])
    await #expect(throws: UserError.self) {
      try await directory().signIn(email: email, password: String(repeating: "x", count: 1_025))
    }
  }

  @Test(
    "after 5 failures the next attempt waits, for any account; the right password waits too, and resets the count"
  )
  func backOff() async throws {
    _ = try await users.createUser(email: email, name: "", password: password)
    for address in [email, "nobody@example.com"] {
      for _ in 0..<5 {
        await #expect(throws: UserError.wrongCredentials) {
          try await directory().signIn(email: address, password: "wrong horse")
        }
      }
      await #expect(throws: UserError.tooManyAttempts(retryAfter: .seconds(1))) {
        try await directory().signIn(email: address, password: password)
      }
    }
    clock.advance(by: .milliseconds(900))
    await #expect(throws: UserError.tooManyAttempts(retryAfter: .milliseconds(100))) {
      try await directory().signIn(email: email, password: password)
    }
    clock.advance(by: .milliseconds(100))
    await #expect(throws: UserError.wrongCredentials) {
      try await directory().signIn(email: email, password: "wrong horse")
    }
    await #expect(throws: UserError.tooManyAttempts(retryAfter: .seconds(2))) {
      try await directory().signIn(email: email, password: password)
    }
    clock.advance(by: .seconds(2))
    _ = try await directory().signIn(email: email, password: password)
    // The sign-in is refused; the test needs only the attempt.
    for _ in 0..<4 { _ = try? await directory().signIn(email: email, password: "wrong horse") }
    _ = try await directory().signIn(email: email, password: password)
  }

  @Test("concurrent guesses count too")
  func parallelGuesses() async throws {
    _ = try await users.createUser(email: email, name: "", password: password)
    let directory = directory()
    let outcomes = await withTaskGroup(of: UserError?.self) { group in
      for number in 0..<50 {
        group.addTask { [email] in
          do throws(UserError) {
            _ = try await directory.signIn(email: email, password: "wrong horse \(number)")
            return nil
          } catch {
            return error
          }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.filter { $0 == .wrongCredentials }.count == 5)
    #expect(outcomes.filter { $0 == .tooManyAttempts(retryAfter: .seconds(1)) }.count == 45)
  }

  @Test("a day without an attempt resets the count")
  func forgotten() async throws {
    // The sign-in is refused; the test needs only the attempt.
    for _ in 0..<5 { _ = try? await directory().signIn(email: email, password: "wrong horse") }
    clock.advance(by: .seconds(86_401))
    for _ in 0..<5 {
      await #expect(throws: UserError.wrongCredentials) {
        try await directory().signIn(email: email, password: "wrong horse")
      }
    }
  }

  @Test("an attempt whose password was not checked neither counts nor lengthens a wait")
  func overloaded() async throws {
    let overloaded = OverloadedHasher()
    for _ in 0..<10 {
      await #expect(throws: UserError.overloaded(retryAfter: .seconds(3))) {
        try await directory(overloaded).signIn(email: email, password: password)
      }
    }
    let other = "other@example.com"
    // The sign-in is refused; the test needs only the attempt.
    for _ in 0..<5 { _ = try? await directory().signIn(email: other, password: "wrong horse") }
    clock.advance(by: .seconds(1))
    await #expect(throws: UserError.overloaded(retryAfter: .seconds(3))) {
      try await directory(overloaded).signIn(email: other, password: "wrong horse")
    }
    await #expect(throws: UserError.wrongCredentials) {
      try await directory().signIn(email: other, password: "wrong horse")
    }
    await #expect(throws: UserError.tooManyAttempts(retryAfter: .seconds(2))) {
      try await directory().signIn(email: other, password: "wrong horse")
    }
    _ = try await users.createUser(email: email, name: "", password: password)
    _ = try await directory().signIn(email: email, password: password)
  }

  @Test("a refresh token gives new tokens once, the same ones for 10 seconds, and later ends the session")
  func refresh() async throws {
    _ = try await users.createUser(email: email, name: "", password: password)
    let first = try await directory().signIn(email: email, password: password)
    let second = try await directory().refresh(first.refreshToken)
    let again = try await directory().refresh(first.refreshToken)
    #expect(again.refreshToken == second.refreshToken)
    #expect(second.refreshToken != first.refreshToken)
    let third = try await directory().refresh(second.refreshToken)
    #expect(try !isRevoked(third))
    clock.advance(by: .seconds(10))
    await #expect(throws: UserError.unauthenticated(.revoked)) {
      try await directory().refresh(second.refreshToken)
    }
    await #expect(throws: UserError.unauthenticated(.revoked)) {
      try await directory().refresh(third.refreshToken)
    }
    #expect(try isRevoked(first) && isRevoked(third))
  }

  @Test("revoking any token of a session ends it, and doing so twice is not an error")
  func revoke() async throws {
    _ = try await users.createUser(email: email, name: "", password: password)
    let first = try await directory().signIn(email: email, password: password)
    let other = try await directory().signIn(email: email, password: password)
    let second = try await directory().refresh(first.refreshToken)
    for _ in 0..<2 { try await directory().revoke(first.refreshToken) }
    #expect(try isRevoked(second))
    await #expect(throws: UserError.unauthenticated(.revoked)) {
      try await directory().refresh(second.refreshToken)
    }
    #expect(try !isRevoked(other))
    _ = try await directory().refresh(other.refreshToken)
    await #expect(throws: UserError.unauthenticated(.malformed)) { try await directory().revoke("x") }
  }

  @Test(
    "a changed or removed password, or inactivity, revokes every token at once",
    arguments: [(nil, "another horse"), (nil, ""), (UserStatus.inactive.rawValue, nil)] as [(Int?, String?)])
  func userChanges(status: Int?, new: String?) async throws {
    let user = try await users.createUser(email: email, name: "", password: password)
    let tokens = try await directory().signIn(email: email, password: password)
    _ = try await users.updateUser(id: "\(user.id)", name: "Ada")
    #expect(try !isRevoked(tokens))
    _ = try await users.updateUser(id: "\(user.id)", status: status, password: new)
    #expect(try isRevoked(tokens))
    await #expect(throws: UserError.unauthenticated(.untrusted)) {
      try await directory().refresh(tokens.refreshToken)
    }
    // Later tokens are valid, and do not restore the old ones.
    _ = try await users.updateUser(
      id: "\(user.id)", status: UserStatus.active.rawValue, password: status == nil ? password : nil)
    let fresh = try await directory().signIn(email: email, password: password)
    #expect(try !isRevoked(fresh))
    #expect(try isRevoked(tokens))
  }

  @Test("a password that changes while the old one is checked gives the old one no tokens")
  func changedMeanwhile() async throws {
    let user = try await users.createUser(email: email, name: "", password: password)
    let slow = HookedHasher(hasher) { [users] in
      _ = try await users.updateUser(id: "\(user.id)", password: "another horse")
    }
    await #expect(throws: UserError.wrongCredentials) {
      try await directory(slow).signIn(email: email, password: password)
    }
  }

  @Test(
    "a checked wrong password counts even if its client no longer waits; an unchecked one does not")
  func cancelled() async throws {
    _ = try await users.createUser(email: email, name: "", password: password)
    let checked = directory(HookedHasher(hasher) { withUnsafeCurrentTask { $0?.cancel() } })
    let unchecked = directory(HookedHasher(hasher) { throw CancellationError() })
    for _ in 0..<5 {
      let ends = [
        Task { [email] in try await unchecked.signIn(email: email, password: "wrong horse") },
        Task { [email] in try await checked.signIn(email: email, password: "wrong horse") },
      ]
      await #expect(throws: UserError.cancelled) { try await ends[0].value }
      await #expect(throws: UserError.wrongCredentials) { try await ends[1].value }
    }
    await #expect(throws: UserError.tooManyAttempts(retryAfter: .seconds(1))) {
      try await directory().signIn(email: email, password: password)
    }
  }

  @Test("a user's change is not made once its tokens are revoked")
  func authority() async throws {
    let user = try await users.createUser(email: email, name: "", password: password)
    let authority = WriteAuthority(userID: user.id, epoch: 0)
    _ = try await users.updateUser(id: "\(user.id)", name: "Ada", by: authority)
    // An operator makes the user inactive while the user's own change is being hashed.
    let slow = UserDirectory(
      repository: repository,
      hasher: HookedHasher(hasher) { [users] in
        _ = try await users.updateUser(id: "\(user.id)", status: UserStatus.inactive.rawValue)
      })
    await #expect(throws: UserError.unauthenticated(.revoked)) {
      try await slow.updateUser(
        id: "\(user.id)", status: UserStatus.active.rawValue, password: "another horse", by: authority)
    }
    #expect(try repository.user(id: user.id)?.status == .inactive)
    // Changing another user under the same authority fails too.
    let other = try await users.createUser(email: "bob@example.com", name: "", password: "")
    await #expect(throws: UserError.unauthenticated(.revoked)) {
      try await users.updateUser(id: "\(other.id)", name: "Eve", by: authority)
    }
  }

  @Test("a user whose changes race with its deactivation cannot undo it")
  func authorityRace() async throws {
    for number in 0..<20 {
      let user = try await repository.create(.sample(number))
      let authority = WriteAuthority(userID: user.id, epoch: 0)
      await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<10 {
          group.addTask { [repository] in
            // The change is made before the deactivation or refused after it; either is right.
            _ = try? await repository.update(user.id, UserChanges(status: .active), UserWrite(by: authority))
          }
        }
        group.addTask { [repository] in
          _ = try await repository.update(user.id, UserChanges(status: .inactive))
        }
      }
      #expect(try repository.user(id: user.id)?.status == .inactive)
    }
  }

  @Test("a hash with older parameters is upgraded after a sign-in, and no token is revoked")
  func upgrade() async throws {
    let old = try Argon2idHasher(
      parameters: Argon2Parameters(memoryKiB: 9_216, iterations: 4, parallelism: 1))
    _ = try await UserDirectory(repository: repository, hasher: old).createUser(
      email: email, name: "", password: password)
    let address = try EmailAddress(email)
    let (upgrades, upgraded) = AsyncStream.makeStream(of: Void.self)
    let waiting = WaitingHasher(hasher)
    let observer = UpgradeObserver(repository) { upgraded.yield() }
    // The sign-in returns although the new hash cannot be made yet.
    let tokens = try await directory(waiting, sessions: observer).signIn(email: email, password: password)
    waiting.open()
    for await _ in upgrades { break }
    let hash = try repository.credential(email: address)?.passwordHash
    #expect(hash?.phcString.contains("m=7168,t=5,p=1") == true)
    #expect(try !isRevoked(tokens))
    _ = try await directory().signIn(email: email, password: password)
  }

  @Test("a user has at most 100 sessions: a new one replaces the one refreshed longest ago")
  func sessionsPerUser() async throws {
    let user = try await repository.create(.sample(1))
    var ids: [SessionID] = []
    for _ in 0...SessionPolicy.sessionsPerUser {
      clock.advance(by: .seconds(1))
      ids.append(.random())
      try await repository.create(
        Session(
          id: ids[ids.count - 1], userID: user.id, tokenHash: [UInt8](repeating: 1, count: 32),
          now: clock.now,
          policy: SessionPolicy()), epoch: 0, from: .network(PeerNetwork(peer: "unix")))
    }
    for (index, id) in ids.enumerated() {
      let refresh = SessionRefresh(
        session: id, presented: [UInt8](repeating: 1, count: 32), successor: [UInt8](repeating: 2, count: 32),
        now: clock.now, policy: SessionPolicy())
      if index == 0 {
        await #expect(throws: UserError.unauthenticated(.untrusted)) { try await repository.refresh(refresh) }
      } else {
        #expect(try await repository.refresh(refresh).session.id == id)
      }
      let claims = AccessTokenClaims(
        principal: Principal(subject: "\(user.id)", scopes: []), issuedAt: clock.now, expiresAt: clock.now,
        session: id, epoch: 0)
      #expect(repository.revocations.isRevoked(claims) == (index == 0))
    }
  }
}
