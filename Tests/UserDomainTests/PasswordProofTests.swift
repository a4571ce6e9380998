import PasswordHashing
import TestSupport
import Testing
import UserDomain
import UserStoreSQLite

/// Tests passwords tried outside sign-ins, which count in the same way.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct PasswordProofTests {
  private let repository: SQLiteUserRepository
  private let users: UserDirectory
  private let clock = ManualClock()
  private let password = "correct horse"
  private let wrong = "wrong horse"
  private let network = PeerNetwork(peer: "ipv4:192.0.2.1:50000")
  private let requestID = "b1b2c3d4-0000-4000-8000-000000000001"

  init() throws {
    repository = try SQLiteUserRepository(.inMemory)
    users = UserDirectory(
      repository: repository,
      hasher: try Argon2idHasher(
        parameters: Argon2Parameters(memoryKiB: 7_168, iterations: 5, parallelism: 1)),
      attempts: PasswordAttempts(repository) { [clock] in clock.now })
  }

  private func create(_ password: String? = nil) async throws -> User {
    try await users.createUser(
      email: "ada@example.com", name: "Ada", password: password ?? self.password, requestID: requestID,
      from: network)
  }

  private func proof(_ current: String?, isRequired: Bool = true) -> PasswordProof {
    PasswordProof(currentPassword: current, isRequired: isRequired, network: network)
  }

  @Test("guesses through a retried request count like sign-ins")
  func requestAgain() async throws {
    let user = try await create()
    for _ in 0..<5 {
      await #expect(throws: UserError.invalid([.requestIDUsed])) { try await create("wrong horse") }
    }
    await #expect(throws: UserError.tooManyAttempts(retryAfter: .seconds(1))) { try await create() }
    clock.advance(by: .seconds(1))
    #expect(try await create() == user)
    // A success has reset the count.
    await #expect(throws: UserError.invalid([.requestIDUsed])) { try await create("wrong horse") }
    for number in 0..<100 {
      let other = SignInSource.network(PeerNetwork(peer: "ipv4:203.0.113.\(number):1"))
      try await repository.noteFailure(of: .user(user.id), from: other, now: clock.now)
    }
    await #expect(throws: UserError.signInDisabled) { try await create() }
  }

  @Test("changing one's own address or password needs the current password, other changes do not")
  func needed() async throws {
    let id = "\(try await create().id)"
    for (email, new) in [("new@example.com", nil), (nil, "another horse"), (nil, "")] as [(String?, String?)]
    {
      await #expect(throws: UserError.currentPasswordRequired) {
        try await users.updateUser(id: id, email: email, password: new, proof: proof(nil))
      }
      await #expect(throws: UserError.wrongCurrentPassword) {
        try await users.updateUser(id: id, email: email, password: new, proof: proof(wrong))
      }
    }
    _ = try await users.updateUser(id: id, email: "ada@example.com", name: "A.", proof: proof(nil))
    _ = try await users.updateUser(id: id, status: UserStatus.active.rawValue, proof: proof(nil))
    let changed = try await users.updateUser(id: id, email: "new@example.com", proof: proof(password))
    #expect(changed.email.address == "new@example.com")
    _ = try await users.updateUser(id: id, password: "another horse", proof: proof(password))
    _ = try await users.updateUser(id: id, password: "", proof: proof("another horse"))
    #expect(try repository.credential(email: changed.email)?.passwordHash == nil)
  }

  @Test("a wrong current password counts, and nothing is revealed or done during the wait")
  func counted() async throws {
    let user = try await create()
    let id = "\(user.id)"
    for _ in 0..<5 {
      await #expect(throws: UserError.wrongCurrentPassword) {
        try await users.updateUser(id: id, password: "another horse", proof: proof(wrong))
      }
    }
    await #expect(throws: UserError.tooManyAttempts(retryAfter: .seconds(1))) {
      try await users.updateUser(id: id, password: "another horse", proof: proof(password))
    }
    clock.advance(by: .seconds(1))
    _ = try await users.updateUser(id: id, password: "another horse", proof: proof(password))
  }

  @Test("a caller with users:write needs no current password, but a given one is checked")
  func notNeeded() async throws {
    let id = "\(try await create().id)"
    await #expect(throws: UserError.wrongCurrentPassword) {
      try await users.updateUser(id: id, name: "A.", proof: proof(wrong, isRequired: false))
    }
    _ = try await users.updateUser(
      id: id, email: "new@example.com", password: "another horse", proof: proof(nil, isRequired: false))
  }

  @Test("a user without a password cannot change its address or password itself")
  func withoutPassword() async throws {
    let user = try await users.createUser(email: "bob@example.com", name: "", password: "")
    await #expect(throws: UserError.currentPasswordRequired) {
      try await users.updateUser(id: "\(user.id)", password: "another horse", proof: proof(nil))
    }
    await #expect(throws: UserError.wrongCurrentPassword) {
      try await users.updateUser(id: "\(user.id)", password: "another horse", proof: proof("anything"))
    }
  }

  @Test("a new password is compared with the user's address and name, before and after the change")
  func similar() async throws {
    let id = "\(try await create().id)"
    for (email, name, new) in [
      (nil, nil, "ada@example.com"), (nil, "Augusta King", "augustaking"),
      ("lovelace@example.com", nil, "lovelace1815"),
    ] as [(String?, String?, String)] {
      let error = await #expect(throws: UserError.self) {
        try await users.updateUser(id: id, email: email, name: name, password: new)
      }
      guard case .invalid(let violations)? = error else {
        Issue.record("not invalid: \(String(describing: error))")
        continue
      }
      #expect(violations.map(\.reason) == [.tooSimilar])
    }
  }

  @Test("a current password that is empty or too long is named")
  func malformed() async throws {
    let id = "\(try await create().id)"
    for text in ["", String(repeating: "x", count: 1_025)] {
      let error = await #expect(throws: UserError.self) {
        try await users.updateUser(id: id, password: "another horse", proof: proof(text))
      }
      guard case .invalid(let violations)? = error else {
        Issue.record("not invalid: \(String(describing: error))")
        continue
      }
      #expect(violations.map(\.field) == ["current_password"])
    }
  }

  @Test("users keep a password that would be refused as a new one")
  func olderPasswords() async throws {
    let hasher = try Argon2idHasher(
      parameters: Argon2Parameters(memoryKiB: 7_168, iterations: 5, parallelism: 1))
    let hash = try await hasher.hash(Password(attempt: "abc"), for: .service)
    let user = try await repository.create(.sample(1, passwordHash: hash))
    _ = try await users.updateUser(id: "\(user.id)", password: "another horse", proof: proof("abc"))
  }
}
