import TestSupport
import Testing
import UserDomain
import UserStore

/// Tests users that come from other systems.
@Suite(.tags(.io), .fewAtOnce) struct ImportTests {
  private let fixture: StoreFixture
  private let otherFixture: StoreFixture
  private let clock = ManualClock()

  init() throws {
    fixture = try StoreFixture(clock: clock)
    otherFixture = try StoreFixture(clock: clock)
  }

  private let id = UserID(high: 0xdead_beef_0000_4000, low: 0x8000_0000_0000_0001)

  private func row(_ number: Int, id: UserID? = nil, createdAt: Timestamp? = nil) -> ForeignUser {
    ForeignUser(
      id: id, email: EmailAddress(trusted: "user\(number)@example.com"),
      name: UserName(trusted: "User \(number)"),
      createdAt: createdAt)
  }

  private func stored(_ id: UserID, in repository: any ServiceStore) async throws -> User? {
    var user: User?
    _ = try await repository.readUser(id: id, showsDeleted: true) { user = User($0, email: $1, name: $2) }
    return user
  }

  @Test("a user is stored with everything that its row has", arguments: Engine.all)
  func whole(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let createdAt = clock.now - .seconds(1_000)
    let deletion = UserDeletion(deletedAt: clock.now - .seconds(10), purgeAt: clock.now + .seconds(10))
    var row = row(1, id: id, createdAt: createdAt)
    (row.status, row.updatedAt, row.deletion) = (.inactive, createdAt + .seconds(5), deletion)
    (row.labels, row.passwordHash) = (UserLabels(trusted: "a=b\n"), PasswordHash(phcString: "x"))
    #expect(
      try await repository.importUsers([row], by: nil) == [.success(UserImport(id: id, wasStored: false))])
    #expect(
      try await stored(id, in: repository)
        == User(
          id: id, email: row.email, name: row.name, status: .inactive, createdAt: createdAt,
          updatedAt: createdAt + .seconds(5), deletion: deletion, labels: row.labels))
    #expect(try await repository.passwordHash(of: id) == row.passwordHash)
    try await repository.close()
  }

  @Test(
    "an id that is another user's place, and a place that is another user's id, are taken",
    arguments: Engine.all)
  func places(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let createdAt = clock.now - .seconds(1_000)
    let place = try #require(UserPlace.other(than: id, createdAt: createdAt))
    let rows = [row(1, id: id, createdAt: createdAt), row(2, id: place, createdAt: createdAt)]
    let outcomes = try await repository.importUsers(rows[...], by: nil)
    #expect(outcomes[1] == .failure(.idTaken))
    let other = try await otherFixture.open(engine)
    let reversed = try await other.importUsers(Array(rows.reversed())[...], by: nil)
    #expect(try reversed[0].get().id == place)
    #expect(reversed[1] == .failure(.idTaken))
    try await other.close()
    try await repository.close()
  }

  @Test(
    "many users in a row that are not in the order of their ids are listed in bounded reads, in order",
    arguments: Engine.all)
  func backfilled(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    // Ids of now, and times of creation years ago, as a system has that gave out its ids afterwards.
    var ids = UserIDGenerator()
    let count = 3 * UsersRead.looks
    let rows = (0..<count).map { number in
      row(number, id: ids.next(at: clock.now), createdAt: clock.now - .seconds(Int64(1_000_000 - number)))
    }
    _ = try await repository.importUsers(rows.shuffled()[...], by: nil)
    var native: [UserID] = []
    for number in 0..<5 { native.append(try await repository.create(.sample(count + number)).id) }
    var listing = try await UserListing(repository: repository, after: nil, pageSize: 100)
    var listed: [UserID] = []
    while let page = try await listing.nextPage() { listed += page.map(\.id) }
    #expect(listed == rows.compactMap(\.id) + native)
    try await repository.close()
  }

  @Test("users are listed although the clock was ahead for a while", arguments: Engine.all)
  func clockAhead(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    clock.advance(by: .seconds(3 * 86_400))
    _ = try await repository.create(.sample(1))
    clock.advance(by: .seconds(-3 * 86_400))
    _ = try await repository.create(.sample(2))
    var listing = try await UserListing(repository: repository, after: nil, pageSize: 10)
    #expect(try await listing.nextPage()?.count == 2)
    try await repository.close()
  }

  @Test("a row without an id gets one of the time of its creation", arguments: Engine.all)
  func assigned(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let createdAt = clock.now - .seconds(1_000)
    let outcomes = try await repository.importUsers([row(1, createdAt: createdAt), row(2)], by: nil)
    let (old, new) = (try outcomes[0].get().id, try outcomes[1].get().id)
    #expect(old > UserPlace.first(at: createdAt) && old < UserPlace.last(at: createdAt))
    #expect(new > old && UserPlace.time(of: new) <= clock.now)
    #expect(try await stored(new, in: repository)?.createdAt == clock.now)
    try await repository.close()
  }

  @Test(
    "a stored row is left unchanged, and an id or an address that another user has is an error",
    arguments: Engine.all)
  func conflicts(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    _ = try await repository.importUsers([row(1, id: id)], by: nil)
    let other = UserID(high: 0xdead_beef_0000_4000, low: 0x8000_0000_0000_0002)
    let own = try await repository.create(.sample(2))
    let outcomes = try await repository.importUsers(
      [row(1, id: id), row(1), row(3, id: id), row(1, id: other), row(2, id: own.id), row(4)], by: nil)
    #expect(
      outcomes.dropLast() == [
        .success(UserImport(id: id, wasStored: true)), .success(UserImport(id: id, wasStored: true)),
        .failure(.idTaken), .failure(.emailAlreadyRegistered),
        .success(UserImport(id: own.id, wasStored: true)),
      ])
    #expect(try outcomes[5].get().wasStored == false)
    #expect(try await stored(other, in: repository) == nil)
    try await repository.close()
  }

  @Test(
    "ids of users that are created later are greater than every imported one that is in the order of creation",
    arguments: Engine.all)
  func order(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    var ids = UserIDGenerator()
    let ahead = clock.now + .seconds(50)
    let imported = ids.random(at: ahead)
    _ = try await repository.importUsers([row(1, id: imported, createdAt: ahead), row(2, id: id)], by: nil)
    let user = try await repository.create(.sample(3))
    #expect(user.id > imported)
    #expect(user.createdAt >= UserPlace.time(of: imported))
    #expect(try await repository.lastPlace() == user.id)
    try await repository.close()
  }

  @Test(
    "an inactive or deleted user's tokens are not accepted, and an authority that ends stores nothing",
    arguments: Engine.all)
  func tokens(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    var inactive = row(1, id: id)
    inactive.status = .inactive
    _ = try await repository.importUsers([inactive], by: nil)
    let claims = AccessTokenClaims(
      principal: Principal(subject: id.description, scopes: []), issuedAt: clock.now + .seconds(5),
      expiresAt: clock.now + .seconds(900))
    #expect(repository.revocations.isRevoked(claims))
    await #expect(throws: UserError.unauthenticated(.expired)) {
      try await repository.importUsers(
        [row(2)],
        by: WriteAuthority(bearer: nil) { () throws(UserError) in throw .unauthenticated(.expired) })
    }
    #expect(try await repository.credential(email: EmailAddress("user2@example.com")) == nil)
    try await repository.close()
  }

  @Test(
    "a time of creation that is still to come does not move the clock of users that are created here",
    arguments: Engine.all)
  func ahead(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    _ = try await repository.importUsers([row(1, createdAt: clock.now + .seconds(50))], by: nil)
    #expect(try await repository.create(.sample(2)).createdAt == clock.now)
    try await repository.close()
  }

  @Test(
    "a user that is deleted is not one that was stored already, unless the row is deleted too",
    arguments: Engine.all)
  func deletedMeanwhile(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1))
    let deleted = try await repository.delete(
      user.id, .soft(retention: .seconds(9), allowsDeleted: false), UserWrite())
    for id in [nil, user.id] {
      var row = row(1, id: id)
      #expect(try await repository.importUsers([row], by: nil) == [.failure(.emailAlreadyRegistered)])
      row.deletion = deleted.deletion
      #expect(
        try await repository.importUsers([row], by: nil) == [
          .success(UserImport(id: user.id, wasStored: true))
        ]
      )
    }
    try await repository.close()
  }
}
