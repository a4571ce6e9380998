import TestSupport
import Testing
import UserDomain
import UserStore

/// The behaviour of every `UserRepository`, run on each implementation.
@Suite(.tags(.io), .fewAtOnce) struct UserRepositoryConformanceTests {
  private let fixture: StoreFixture

  init() throws { fixture = try StoreFixture() }

  private let absent = UserID(high: 1, low: 1)

  @Test("a created user can be read back", arguments: Engine.all)
  func createAndRead(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let before = Timestamp.now
    let user = try await repository.create(.sample(1))
    #expect(user.email.address == "user1@example.com")
    #expect(user.name.text == "User 1")
    #expect(user.status == .active)
    #expect(user.createdAt >= before && user.createdAt <= .now)
    #expect(try await repository.user(id: user.id) == user)
    #expect(try await repository.user(id: absent) == nil)
    try await repository.close()
  }

  @Test("text is returned as stored", arguments: Engine.all)
  func text(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let names = [
      "", "O'Neil; DROP TABLE users; --", "李小龙", "👩‍👩‍👧‍👦", "e\u{301}", "%_\\\"`",
      String(repeating: "😀", count: 256),
    ]
    for (number, name) in names.enumerated() {
      let email = EmailAddress(trusted: "a'b\(number)@example.com")
      let user = try await repository.create(NewUser(email: email, name: UserName(trusted: name)))
      let stored = try #require(try await repository.user(id: user.id))
      #expect(stored.name.text.unicodeScalars.elementsEqual(name.unicodeScalars))
      #expect(stored.email.address == email.address)
    }
    try await repository.close()
  }

  // PostgreSQL's text has no U+0000, which the domain refuses in any case.
  @Test("a name with U+0000 is returned as stored by SQLite", arguments: [Engine.memory, .file])
  func nul(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let name = UserName(trusted: "nul\u{0}inside")
    let user = try await repository.create(NewUser(email: EmailAddress("ada@example.com"), name: name))
    #expect(try await repository.user(id: user.id)?.name == name)
    try await repository.close()
  }

  @Test("an address has one owner, in any letter case", arguments: Engine.all)
  func uniqueEmail(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let first = try await repository.create(.sample(1))
    let same = NewUser(email: EmailAddress(trusted: "USER1@Example.Com"), name: UserName(trusted: "Other"))
    await #expect(throws: UserError.emailAlreadyRegistered) { try await repository.create(same) }
    let second = try await repository.create(.sample(2))
    await #expect(throws: UserError.emailAlreadyRegistered) {
      try await repository.update(second.id, UserChanges(email: same.email))
    }
    // A user's own address in another case is not a conflict.
    let renamed = try await repository.update(first.id, UserChanges(email: same.email))
    #expect(renamed.email == same.email)
    #expect(try await repository.user(id: second.id) == second)
    try await repository.close()
  }

  @Test("100 concurrent creates of one address: exactly one succeeds", arguments: Engine.all)
  func concurrentCreates(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let outcomes = await withTaskGroup(of: Result<User, any Error>.self) { group in
      for number in 0..<100 {
        group.addTask {
          let address = number.isMultiple(of: 2) ? "ada@example.com" : "ADA@EXAMPLE.COM"
          do {
            return .success(
              try await repository.create(
                NewUser(email: EmailAddress(trusted: address), name: UserName(trusted: "\(number)"))))
          } catch {
            return .failure(error)
          }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    // The test checks the others' failures below.
    let winners = outcomes.compactMap { try? $0.get() }
    #expect(winners.count == 1)
    for outcome in outcomes {
      if case .failure(let error) = outcome { #expect(error as? UserError == .emailAlreadyRegistered) }
    }
    #expect(try await repository.lastPlace() == winners.first?.id)
    try await repository.close()
  }

  @Test("a bulk insert has an outcome per row", arguments: Engine.all)
  func bulk(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    _ = try await repository.create(.sample(3))
    let hash = PasswordHash(phcString: "$argon2id$sample")
    let outcomes = try await repository.create([
      .sample(1), .sample(2, passwordHash: hash), .sample(3), .sample(1), .sample(4),
    ])
    // Failures are nil here; the test checks them below.
    #expect(
      outcomes.map { (try? $0.get())?.email.address } == [
        "user1@example.com", "user2@example.com", nil, nil, "user4@example.com",
      ])
    #expect(outcomes[2] == .failure(.emailAlreadyRegistered))
    #expect(outcomes[3] == .failure(.emailAlreadyRegistered))
    // The users that were created.
    let ids = outcomes.compactMap { try? $0.get().id }
    #expect(ids == ids.sorted())
    #expect(try await repository.credential(email: EmailAddress("user2@example.com"))?.passwordHash == hash)
    #expect(try await repository.create([NewUser]()).isEmpty)
    try await repository.close()
  }

  @Test("a credential is found by its address in any case", arguments: Engine.all)
  func credential(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let hash = PasswordHash(phcString: "$argon2id$one")
    let user = try await repository.create(.sample(1, passwordHash: hash))
    let found = try await repository.credential(email: EmailAddress("USER1@EXAMPLE.COM"))
    #expect(found == Credential(user: user, passwordHash: hash, epoch: 0))
    #expect(try await repository.credential(email: EmailAddress("nobody@example.com")) == nil)
    try await repository.close()
  }

  @Test("an update changes only the given fields", arguments: Engine.all)
  func update(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let hash = PasswordHash(phcString: "$argon2id$one")
    let user = try await repository.create(.sample(1, passwordHash: hash))
    let other = try await repository.create(.sample(2, passwordHash: hash))

    #expect(try await repository.update(user.id, UserChanges()) == user)
    let changed = try await repository.update(
      user.id,
      UserChanges(
        email: try EmailAddress("New@example.com"), name: try UserName(""), status: .inactive,
        password: .replace(PasswordHash(phcString: "$argon2id$two"))))
    #expect(changed.id == user.id && changed.createdAt == user.createdAt)
    #expect(
      changed.email.address == "New@example.com" && changed.name.text.isEmpty && changed.status == .inactive)
    #expect(try await repository.user(id: user.id) == changed)
    #expect(
      try await repository.credential(email: changed.email)?.passwordHash?.phcString == "$argon2id$two")
    #expect(try await repository.credential(email: user.email) == nil)

    _ = try await repository.update(user.id, UserChanges(password: .remove))
    #expect(try await repository.credential(email: changed.email)?.passwordHash == nil)
    #expect(
      try await repository.credential(email: other.email)
        == Credential(user: other, passwordHash: hash, epoch: 0))
    await #expect(throws: UserError.notFound(absent.description)) {
      try await repository.update(absent, UserChanges(name: try UserName("x")))
    }
    try await repository.close()
  }

  @Test("pages are ascending, bounded and without gaps", arguments: Engine.all, [1, 3, 10, 11, 1_000])
  func pages(engine: Engine, size: Int) async throws {
    let repository = try await fixture.open(engine)
    let none = try await repository.readUsers(
      UserQuery(), after: nil, through: .last, limit: 10
    ) { row, _, _ in Issue.record("\(row)") }
    #expect(none.count == 0 && none.position == nil && none.isOver)
    let created = try await repository.create((0..<10).map { .sample($0) }).map { try $0.get() }
    var listing = try await UserListing(repository: repository, after: nil, pageSize: size)
    // The user arrives after the listing began, and so is not part of it.
    let late = try await repository.create(.sample(99))
    var pages: [[User]] = []
    while let page = try await listing.nextPage() { pages.append(page) }
    #expect(pages.flatMap { $0 } == created)
    #expect(pages.dropLast().allSatisfy { $0.count == size })
    #expect(try await listing.nextPage() == nil)

    var rest = try await UserListing(
      repository: repository, after: .id(created[6].id), pageSize: size)
    var resumed: [User] = []
    while let page = try await rest.nextPage() { resumed += page }
    #expect(resumed == created[7...] + [late])
    try await repository.close()
  }

  @Test("an empty listing, or one after the last user, ends at once", arguments: Engine.all)
  func emptyListing(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    var empty = try await UserListing(repository: repository, after: nil, pageSize: 10)
    #expect(try await empty.nextPage() == nil)
    let user = try await repository.create(.sample(1))
    var past = try await UserListing(repository: repository, after: .id(user.id), pageSize: 10)
    #expect(try await past.nextPage() == nil)
    try await repository.close()
  }

  @Test("a caller with a response reads the write that it acknowledges", arguments: Engine.all)
  func readYourWrites(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask {
          for number in 0..<100 {
            let user = try await repository.create(.sample(writer * 1_000 + number))
            #expect(try await repository.user(id: user.id) == user)
            let renamed = try await repository.update(user.id, UserChanges(name: try UserName("x")))
            #expect(try await repository.user(id: user.id) == renamed)
          }
        }
      }
      try await group.waitForAll()
    }
    try await repository.close()
  }

  @Test(
    "ids ascend in the order of commits, so a listing that follows the newest user skips no user",
    arguments: Engine.all)
  func followTheNewest(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<4 {
        group.addTask {
          for number in 0..<200 { _ = try await repository.create(.sample(writer * 1_000 + number)) }
        }
      }
      group.addTask {
        var seen: [UserID] = []
        try await eventually("all users are listed") {
          var listing = try await UserListing(
            repository: repository, after: seen.last.map { .id($0) }, pageSize: 7)
          while let page = try await listing.nextPage() { seen += page.map(\.id) }
          return seen.count >= 800
        }
        #expect(Set(seen).count == 800)
      }
      try await group.waitForAll()
    }
    try await repository.close()
  }

  @Test("every call after closing is refused", arguments: Engine.all)
  func closed(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1))
    try await repository.close()
    try await repository.close()
    await #expect(throws: UserError.shuttingDown) { try await repository.user(id: user.id) }
    await #expect(throws: UserError.shuttingDown) { try await repository.lastPlace() }
    await #expect(throws: UserError.shuttingDown) { try await repository.create(.sample(2)) }
    await #expect(throws: UserError.shuttingDown) {
      try await repository.update(user.id, UserChanges())
    }
  }
}
