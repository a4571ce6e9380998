import PasswordHashing
import TestSupport
import Testing
import UserDomain
import UserStoreSQLite

@Suite(.tags(.io)) struct UserDirectoryTests {
  private let directory: UserDirectory
  private let repository: SQLiteUserRepository
  private let hasher: Argon2idHasher

  init() throws {
    repository = try SQLiteUserRepository(.inMemory)
    hasher = try Argon2idHasher()
    directory = UserDirectory(repository: repository, hasher: hasher)
  }

  @Test("a created user is active, has its trimmed address and can be found")
  func create() async throws {
    let user = try await directory.createUser(email: " Ada@Example.com ", name: "Ada", password: "")
    #expect(user.email.address == "Ada@Example.com")
    #expect(user.status == .active)
    #expect(try await directory.user(id: user.id.description) == user)
    #expect(try await directory.user(id: user.id.description.uppercased()) == user)
    #expect(try repository.credential(email: user.email)?.passwordHash == nil)
  }

  @Test("a password is stored as a hash that verifies")
  func password() async throws {
    let user = try await directory.createUser(email: "ada@example.com", name: "", password: "correct horse")
    let hash = try #require(try repository.credential(email: user.email)?.passwordHash)
    #expect(hash.phcString.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
    #expect(
      try await hasher.verify(Password(attempt: "correct horse"), against: hash, for: .service)
        == .match(needsRehash: false))
    #expect(
      try await hasher.verify(Password(attempt: "wrong horse"), against: hash, for: .service) == .mismatch)
  }

  @Test("a retried request returns the first user, if its password is the same")
  func repeated() async throws {
    func create(_ password: String, _ requestID: String) async throws -> User {
      try await directory.createUser(
        email: "\(requestID.prefix(1))@example.com", name: "", password: password, requestID: requestID)
    }
    let (secret, open) = ("b1b2c3d4-0000-4000-8000-000000000001", "a1b2c3d4-0000-4000-8000-000000000002")
    let withPassword = try await create("correct horse", secret)
    #expect(try await create("correct horse", secret) == withPassword)
    let without = try await create("", open)
    #expect(try await create("", open) == without)
    for (password, id) in [("wrong horse", secret), ("", secret), ("correct horse", open)] {
      await #expect(throws: UserError.invalid([.requestIDUsed])) { try await create(password, id) }
    }
  }

  @Test("all violations of a request are reported together, one per field")
  func violations() async throws {
    let error = await #expect(throws: UserError.self) {
      try await directory.createUser(email: "nobody", name: "a\nb", password: "short")
    }
    guard case .invalid(let violations) = error else {
      Issue.record("not .invalid: \(String(describing: error))")
      return
    }
    #expect(violations.map(\.field) == ["email", "name", "password"])
    #expect(violations.map(\.reason) == [.malformed, .forbiddenCharacter, .tooShort])
    #expect(try repository.lastPlace() == nil)
  }

  @Test("an update reports all its violations too, including the missing id")
  func updateViolations() async throws {
    let error = await #expect(throws: UserError.self) {
      try await directory.updateUser(id: "", email: "", status: 0, password: "short")
    }
    guard case .invalid(let violations) = error else {
      Issue.record("not .invalid: \(String(describing: error))")
      return
    }
    #expect(violations.map(\.field) == ["user_id", "status", "email", "password"])
  }

  @Test(
    "an id without a user is not found, whatever its form",
    arguments: [
      "nobody", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "' OR 1=1 --", "\u{0}",
    ])
  func notFound(id: String) async throws {
    await #expect(throws: UserError.notFound(id)) { try await directory.user(id: id) }
    await #expect(throws: UserError.notFound(id)) { try await directory.updateUser(id: id, name: "x") }
    await #expect(throws: UserError.notFound(id)) {
      try await directory.updateUser(id: id, password: "long enough")
    }
  }

  @Test("an empty id is a violation")
  func emptyID() async throws {
    await #expect(
      throws: UserError.invalid([
        FieldViolation(field: "user_id", reason: .required, description: "must not be empty")
      ])
    ) { try await directory.user(id: "") }
  }

  @Test("an update changes only the given fields; an empty password removes the password")
  func update() async throws {
    let user = try await directory.createUser(
      email: "ada@example.com", name: "Ada", password: "correct horse")
    let renamed = try await directory.updateUser(id: user.id.description, name: "Ada L.", status: 2)
    #expect(renamed.name.text == "Ada L.")
    #expect(renamed.status == .inactive)
    #expect(renamed.email == user.email)
    let before = try #require(try repository.credential(email: user.email)?.passwordHash)
    _ = try await directory.updateUser(id: user.id.description, password: "battery staple")
    let after = try #require(try repository.credential(email: user.email)?.passwordHash)
    #expect(before != after)
    _ = try await directory.updateUser(id: user.id.description, password: "")
    #expect(try repository.credential(email: user.email)?.passwordHash == nil)
  }

  @Test("a page size is clamped to its bounds", arguments: [(-1, 1), (0, 1), (5_000, 1_000)])
  func pageSize(asked: Int, given: Int) async throws {
    _ = try await repository.create(
      (0..<1_001).map { NewUser(email: EmailAddress(trusted: "u\($0)@b"), name: UserName(trusted: "")) })
    var listing = try await directory.listing(pageSize: asked)
    #expect(try await listing.nextPage()?.count == given)
  }
}
