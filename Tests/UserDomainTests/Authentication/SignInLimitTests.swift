import PasswordHashing
import TestSupport
import Testing
import UserStoreSQLite

@testable import UserDomain

/// Tests which failures keep which callers from signing in, with the real store and a manual clock.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct SignInLimitTests {
  private let repository: SQLiteUserRepository
  private let users: UserDirectory
  private let sessions: SessionDirectory
  /// The same over reads that wait, as those of a network do.
  private let waitingSessions: SessionDirectory
  private let clock = ManualClock()
  private let email = "ada@example.com"
  private let password = "correct horse"
  private let wrong = "wrong horse"
  private let home = "ipv4:192.0.2.1:50000"
  private let stranger = "ipv4:198.51.100.7:4000"

  init() throws {
    repository = try SQLiteUserRepository(.inMemory)
    let hasher = try Argon2idHasher(
      parameters: Argon2Parameters(memoryKiB: 7_168, iterations: 5, parallelism: 1))
    let attempts = PasswordAttempts(repository) { [clock] in clock.now }
    users = UserDirectory(repository: repository, hasher: hasher, attempts: attempts)
    sessions = SessionDirectory(
      users: repository, sessions: repository, attempts: attempts, hasher: hasher, issuer: AnyToken(),
      key: [UInt8](repeating: 7, count: 32), clock: { [clock] in clock.now })
    let store = WaitingStore(repository)
    waitingSessions = SessionDirectory(
      users: store, sessions: repository, attempts: PasswordAttempts(store) { [clock] in clock.now },
      hasher: hasher, issuer: AnyToken(), key: [UInt8](repeating: 7, count: 32),
      clock: { [clock] in clock.now })
  }

  private struct AnyToken: AccessTokenIssuer {
    func issue(_ claims: AccessTokenClaims) throws(UserError) -> String { "token" }
  }

  private func ada() async throws -> User {
    try await users.createUser(email: email, name: "", password: password)
  }

  /// Returns the error of a sign-in; nil if it succeeds.
  private func outcome(
    _ password: String, _ network: String, _ address: String? = nil, device: String = "",
    readsWait: Bool = false
  ) async -> UserError? {
    do throws(UserError) {
      _ = try await (readsWait ? waitingSessions : sessions).signIn(
        email: address ?? email, password: password, network: network, knownDevice: device)
      return nil
    } catch {
      return error
    }
  }

  /// Stores failures without the cost of hashing.
  private func fail(_ account: SignInAccount, _ count: Int, from source: SignInSource? = nil) async throws {
    for number in 0..<count {
      let network = SignInSource.network(PeerNetwork(peer: "ipv4:203.0.113.\(number):1"))
      try await repository.noteFailure(of: account, from: source ?? network, now: clock.now)
    }
  }

  @Test("a stranger's guess per minute does not keep out the right password from any other network")
  func stranger() async throws {
    _ = try await ada()
    for minute in 0..<48 {
      clock.advance(by: .seconds(61))
      #expect(await outcome(wrong, stranger) == .wrongCredentials)
      if minute >= 5 { #expect(await outcome(wrong, stranger) != .wrongCredentials) }
      #expect(await outcome(password, home) == nil)
    }
    // The success of one network does not reset the count of the stranger's.
    guard case .tooManyAttempts = await outcome(password, stranger) else {
      Issue.record("the stranger does not have to wait")
      return
    }
  }

  @Test(
    "many correct sign-ins at once do not block each other, even after failures", arguments: [false, true])
  func rightOnesAtOnce(readsWait: Bool) async throws {
    _ = try await ada()
    for failures in [0, 4, 6] {
      for _ in 0..<failures {
        clock.advance(by: .seconds(61))
        #expect(await outcome(wrong, home) == .wrongCredentials)
      }
      clock.advance(by: .seconds(61))
      let outcomes = await withTaskGroup(of: UserError?.self) { group in
        for _ in 0..<30 { group.addTask { await outcome(password, home, readsWait: readsWait) } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.allSatisfy { $0 == nil })
    }
  }

  @Test(
    "concurrent guesses are no more than consecutive ones, for any letter cases of the address",
    arguments: [false, true])
  func guessesAtOnce(readsWait: Bool) async throws {
    _ = try await ada()
    for address in [email, "nobody@example.com"] {
      let outcomes = await withTaskGroup(of: UserError?.self) { group in
        for number in 0..<100 {
          let spelling = number.isMultiple(of: 2) ? address : address.uppercased()
          group.addTask {
            await outcome("\(wrong) \(number)", stranger, spelling, readsWait: readsWait)
          }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.filter { $0 == .wrongCredentials }.count == 5)
      #expect(outcomes.filter { $0 == .tooManyAttempts(retryAfter: .seconds(1)) }.count == 95)
    }
  }

  @Test("after 100 failures in a row an account accepts no password, whether or not it has a user")
  func disabled() async throws {
    let user = try await ada()
    let nobody = "nobody@example.com"
    try await fail(.user(user.id), 99)
    try await fail(.unknown(try EmailAddress(nobody)), 99)
    for address in [email, nobody] {
      #expect(await outcome(wrong, stranger, address) == .wrongCredentials)
      #expect(await outcome(wrong, stranger, address) == .signInDisabled)
      #expect(await outcome(password, home, address) == .signInDisabled)
    }
    // Time does not end the lock.
    clock.advance(by: .seconds(300 * 86_400))
    for address in [email, nobody] { #expect(await outcome(password, home, address) == .signInDisabled) }
    clock.advance(by: .seconds(200 * 86_400))
    try await fail(.unknown(try EmailAddress("other@example.com")), 1)
    #expect(await outcome(password, home) == .signInDisabled)
    // Another spelling of the address is the same account.
    _ = try await users.updateUser(id: "\(user.id)", email: "lovelace@example.com")
    #expect(await outcome(password, home, "lovelace@example.com") == .signInDisabled)
  }

  @Test("a success resets the count, and so do 30 days without a failure")
  func inARow() async throws {
    let user = try await ada()
    try await fail(.user(user.id), 99)
    #expect(await outcome(password, home) == nil)
    try await fail(.user(user.id), 99)
    #expect(await outcome(wrong, home) == .wrongCredentials)
    #expect(await outcome(password, home) == .signInDisabled)
    try await repository.unlock(user.id)
    try await fail(.user(user.id), 99)
    clock.advance(by: SignInAttempts.accountRetention + .seconds(1))
    #expect(await outcome(wrong, home) == .wrongCredentials)
    #expect(await outcome(password, home) == nil)
  }

  @Test(
    "an operator, a new password or activation by another caller ends the lock; the user itself cannot")
  func unlocked() async throws {
    let user = try await ada()
    let account = SignInAccount.user(user.id)
    try await fail(account, 100)
    #expect(try await repository.unlock(user.id) == 100)
    #expect(await outcome(password, home) == nil)
    try await fail(account, 100)
    let own = WriteAuthority(userID: user.id, epoch: 0)
    _ = try await users.updateUser(id: "\(user.id)", status: UserStatus.active.rawValue, by: own)
    #expect(await outcome(password, home) == .signInDisabled)
    _ = try await users.updateUser(id: "\(user.id)", status: UserStatus.active.rawValue)
    #expect(await outcome(password, home) == nil)
    try await fail(account, 100)
    _ = try await users.updateUser(id: "\(user.id)", password: "another horse")
    #expect(await outcome("another horse", home) == nil)
  }

  @Test("a known device is not held up, however its token ended, and its sign-in ends the lock")
  func knownDevice() async throws {
    let user = try await ada()
    func signIn() async throws -> TokenPair {
      try await sessions.signIn(email: email, password: password, network: home)
    }
    let (used, revoked, expired, unused) = try await (signIn(), signIn(), signIn(), signIn())
    _ = try await sessions.refresh(used.refreshToken)
    try await sessions.revoke(revoked.refreshToken)
    clock.advance(by: .seconds(100 * 86_400))
    // Signing in deletes expired sessions.
    for _ in 0..<3 { _ = try await signIn() }
    for token in [used, revoked, expired, unused].map(\.refreshToken) {
      try await fail(.user(user.id), 100)
      #expect(await outcome(password, home) == .signInDisabled)
      #expect(await outcome(wrong, home, device: token) == .wrongCredentials)
      #expect(await outcome(password, stranger, device: token) == nil)
      #expect(await outcome(password, home) == nil)
    }
    // A new sign-in replaces the session that identified the device.
    try await fail(.user(user.id), 100)
    #expect(await outcome(password, home, device: used.refreshToken) == .signInDisabled)
  }

  @Test("a new password leaves the device known")
  func deviceAfterNewPassword() async throws {
    let user = try await ada()
    let token = try await sessions.signIn(email: email, password: password, network: home).refreshToken
    _ = try await users.updateUser(id: "\(user.id)", password: "another horse")
    try await fail(.user(user.id), 100)
    #expect(await outcome("another horse", stranger, device: token) == nil)
  }

  @Test("no other text proves a known device: another user's token, another database's, or anything else")
  func unknownDevice() async throws {
    let user = try await ada()
    _ = try await users.createUser(email: "eve@example.com", name: "", password: password)
    let eves = try await sessions.signIn(email: "eve@example.com", password: password).refreshToken
    try await fail(.user(user.id), 100)
    for token in [eves, "x", String(repeating: "A", count: 64), String(repeating: "x", count: 1_000_000)] {
      #expect(await outcome(password, home, device: token) == .signInDisabled)
      #expect(await outcome(wrong, home, "nobody@example.com", device: token) == .wrongCredentials)
      try await repository.unlock(user.id)
      #expect(await outcome(wrong, stranger, device: token) == .wrongCredentials)
      try await fail(.user(user.id), 100)
    }
  }

  @Test(
    "a known device waits after its own failures, which hold up no other, and is forgotten after 20"
  )
  func deviceFailures() async throws {
    let user = try await ada()
    let token = try await sessions.signIn(email: email, password: password, network: home).refreshToken
    for _ in 0..<5 { #expect(await outcome(wrong, home, device: token) == .wrongCredentials) }
    #expect(
      await outcome(password, home, device: token) == .tooManyAttempts(retryAfter: .seconds(1)))
    #expect(await outcome(password, home) == nil)
    for _ in 5..<20 {
      clock.advance(by: .seconds(61))
      #expect(await outcome(wrong, home, device: token) == .wrongCredentials)
    }
    try await fail(.user(user.id), 100)
    #expect(await outcome(password, home, device: token) == .signInDisabled)
  }

  @Test("failures stored by a clock that was ahead hold up no caller, and the next one corrects them")
  func clockWasAhead() async throws {
    let user = try await ada()
    let token = try await sessions.signIn(email: email, password: password, network: home).refreshToken
    clock.advance(by: .seconds(3_650 * 86_400))
    for _ in 0..<5 {
      #expect(await outcome(wrong, home) == .wrongCredentials)
      #expect(await outcome(wrong, home, device: token) == .wrongCredentials)
    }
    clock.advance(by: .seconds(-3_650 * 86_400))
    #expect(await outcome(wrong, home) == .wrongCredentials)
    #expect(await outcome(password, home) == .tooManyAttempts(retryAfter: .seconds(2)))
    clock.advance(by: .seconds(2))
    #expect(await outcome(password, home) == nil)
    #expect(await outcome(password, home, device: token) == nil)
    _ = user
  }

  @Test("sessions begun by a clock that was ahead make room for new ones, and not the reverse")
  func sessionsOfTheFuture() async throws {
    _ = try await ada()
    clock.advance(by: .seconds(3_650 * 86_400))
    for _ in 0..<SessionPolicy.sessionsPerUser {
      _ = try await sessions.signIn(email: email, password: password)
    }
    clock.advance(by: .seconds(-3_650 * 86_400))
    var tokens: [TokenPair] = []
    for _ in 0..<60 {
      clock.advance(by: .seconds(1))
      tokens.append(try await sessions.signIn(email: email, password: password))
    }
    for pair in tokens { _ = try await sessions.refresh(pair.refreshToken) }
  }
}
