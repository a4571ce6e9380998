import Synchronization
import TestSupport
import Testing
import UserDomain
import UserStore

/// Tests changes of users, their versions and their labels.
@Suite(.tags(.io), .fewAtOnce) struct ChangeTests {
  private let clock = ManualClock()
  private let fixture: StoreFixture

  init() throws { fixture = try StoreFixture(clock: clock) }

  private func labelled(_ value: String, in repository: any ServiceStore) async throws -> [UserID] {
    var filter = UserFilter()
    filter.labels = ["city": value]
    var listing = try await UserListing(
      repository: repository, query: UserQuery(filter: filter), after: nil, pageSize: 10)
    var ids: [UserID] = []
    while let page = try await listing.nextPage() { ids += page.map(\.id) }
    return ids
  }

  @Test(
    "every change has a later version, whatever the clock says, and no change keeps it", arguments: Engine.all
  )
  func versions(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1))
    var last = user
    for step in [0, -3_600, 5, 0] {
      clock.advance(by: .seconds(step))
      let changed = try await repository.update(
        user.id, UserChanges(name: UserName("step \(last.version.etag)")), UserWrite(version: last.version))
      #expect(changed.updatedAt > last.updatedAt)
      await #expect(throws: UserError.versionMismatch) {
        try await repository.update(
          user.id, UserChanges(name: UserName("x")), UserWrite(version: last.version))
      }
      #expect(try await repository.update(user.id, UserChanges(name: changed.name)) == changed)
      last = changed
    }
    #expect(try await repository.user(id: user.id) == last)
    try await repository.close()
  }

  @Test("texts that differ only in their composition are different", arguments: Engine.all)
  func composition(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let (composed, decomposed) = ("é", "e\u{301}")
    let user = try await repository.create(
      NewUser(
        email: EmailAddress("a@example.com"), name: UserName(composed), labels: UserLabels(["city": composed])
      ))
    let changed = try await repository.update(
      user.id, UserChanges(name: UserName(decomposed), labels: UserLabels(["city": decomposed])))
    #expect(changed.name.text.utf8.elementsEqual(decomposed.utf8))
    #expect(try await repository.user(id: user.id)?.name.text.utf8.elementsEqual(decomposed.utf8) == true)
    #expect(try await labelled(decomposed, in: repository) == [user.id])
    #expect(try await labelled(composed, in: repository) == [])
    _ = try await repository.update(user.id, UserChanges(labels: UserLabels(["city": composed])))
    #expect(try await labelled(composed, in: repository) == [user.id])
    _ = try await repository.delete(user.id, .expunge, UserWrite())
    #expect(try await labelled(composed, in: repository) == [])
    #expect(try await labelled(decomposed, in: repository) == [])
    try await repository.close()
  }

  @Test(
    "an active status that is part of a whole user does not unlock it, and one that is meant does",
    arguments: Engine.all)
  func unlocking(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1))
    let account = SignInAccount.user(user.id)
    let network = SignInSource.network(PeerNetwork(peer: "unix"))
    func failures() async throws -> Int {
      try await repository.history(of: account, from: network, now: clock.now).accountFailures
    }
    try await repository.noteFailure(of: account, from: network, now: clock.now)
    var changes = UserChanges(name: try UserName("Ada"), status: .active)
    changes.unlocks = false
    _ = try await repository.update(user.id, changes)
    #expect(try await failures() == 1)
    _ = try await repository.update(user.id, UserChanges(status: .inactive))
    _ = try await repository.update(user.id, changes)
    #expect(try await failures() == 0)
    try await repository.noteFailure(of: account, from: network, now: clock.now)
    _ = try await repository.update(user.id, UserChanges(status: .active))
    #expect(try await failures() == 0)
    try await repository.close()
  }

  @Test("a change depends on the password that was proven for it", arguments: Engine.all)
  func provenPassword(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let hash = PasswordHash(phcString: "one")
    let user = try await repository.create(.sample(1, passwordHash: hash))
    for stale in ["two", ""] {
      let write = UserWrite(provenHash: PasswordHash(phcString: stale))
      await #expect(throws: UserError.wrongCurrentPassword) {
        try await repository.update(user.id, UserChanges(name: UserName(trusted: "x")), write)
      }
      await #expect(throws: UserError.wrongCurrentPassword) {
        try await repository.delete(user.id, .expunge, write)
      }
    }
    let write = UserWrite(provenHash: hash)
    _ = try await repository.update(user.id, UserChanges(password: .remove), write)
    await #expect(throws: UserError.wrongCurrentPassword) {
      try await repository.delete(user.id, .expunge, write)
    }
    try await repository.close()
  }

  @Test(
    "an address that needed no proof, because it was the user's, does not undo the user's own change",
    arguments: Engine.durable)
  func waivedProof(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let users = UserDirectory(repository: repository, hasher: PlainHasher())
    let user = try await repository.create(.sample(1))
    // Another process's lock holds the writer up.
    let other = try await fixture.other(engine)
    try await other.holdWrites(of: repository)
    let new = EmailAddress(trusted: "new@example.com")
    let own = Task { try await repository.update(user.id, UserChanges(email: new), UserWrite()) }
    try await eventually("the writer has taken the user's change") {
      repository.isWriting && repository.waitingWrites == 0
    }
    let thief = Task {
      try await users.updateUser(
        UserReference(user.id), UserUpdate(email: user.email.address, name: "Eve"),
        proof: PasswordProof(currentPassword: nil, isRequired: true, network: PeerNetwork(peer: "unix")),
        for: .service)
    }
    try await eventually("the other change waits") { repository.waitingWrites == 1 }
    try await other.releaseWrites()
    _ = try await (own.value, thief.value)
    let stored = try #require(try await repository.user(id: user.id))
    #expect(stored.email == new && stored.name.text == "Eve")
    try await other.close()
    try await repository.close()
  }

  @Test(
    "a password that a sign-in gives a newer hash, after it was proven, is proven once more",
    arguments: Engine.all)
  func upgradedMeanwhile(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let user = try await repository.create(
      .sample(1, passwordHash: PasswordHash(phcString: "plain:right horse")))
    for (newer, isRight) in [("plain:right horse ", true), ("plain:other horse", false)] {
      let hasher = UpgradingHasher { [repository] in
        // Without the change, the expectations below fail.
        _ = try? await repository.update(
          user.id, UserChanges(password: .replace(PasswordHash(phcString: newer))), UserWrite())
      }
      let users = UserDirectory(repository: repository, hasher: hasher)
      func update() async throws -> User {
        try await users.updateUser(
          UserReference(user.id), UserUpdate(name: "Ada"),
          proof: PasswordProof(
            currentPassword: "right horse", isRequired: true, network: PeerNetwork(peer: "unix")),
          for: .service)
      }
      if isRight {
        #expect(try await update().name.text == "Ada")
      } else {
        await #expect(throws: UserError.wrongCurrentPassword) { try await update() }
      }
    }
    try await repository.close()
  }
}

/// A hasher that lets something happen after the first password that matches. Spaces at the end of a hash do not count.
private final class UpgradingHasher: PasswordHasher {
  private let plain = PlainHasher()
  private let happening: @Sendable () async -> Void
  private let hasHappened = Atomic(false)

  init(_ happening: @escaping @Sendable () async -> Void) { self.happening = happening }

  func hash(_ password: Password, for requester: HashRequester) async throws(UserError) -> PasswordHash {
    try await plain.hash(password, for: requester)
  }

  func verify(
    _ password: Password, against hash: PasswordHash, for requester: HashRequester
  ) async throws(UserError) -> PasswordVerification {
    let text = hash.phcString.hasSuffix(" ") ? String(hash.phcString.dropLast()) : hash.phcString
    let verification = try await plain.verify(
      password, against: PasswordHash(phcString: text), for: requester)
    if !hasHappened.exchange(true, ordering: .relaxed) { await happening() }
    return verification
  }

  func accept(foreign text: String) throws(FieldViolation) -> PasswordHash { PasswordHash(phcString: text) }

  var decoy: PasswordHash { plain.decoy }
}
