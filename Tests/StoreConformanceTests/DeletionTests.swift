import Foundation
import TestSupport
import Testing
import UserDomain
import UserStore

/// Tests deletion, undeletion and purging.
@Suite(.tags(.io), .fewAtOnce) struct DeletionTests {
  private let fixture: StoreFixture
  private let clock = ManualClock()

  init() throws { fixture = try StoreFixture(clock: clock) }

  private let soft = UserRemoval.soft(retention: .seconds(60), allowsDeleted: false)

  @Test(
    "a deleted user is found only where deleted users are shown, and its address stays reserved",
    arguments: Engine.all)
  func hidden(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1, passwordHash: PasswordHash(phcString: "x")))
    let deleted = try await repository.delete(user.id, soft, UserWrite())
    #expect(
      deleted.deletion
        == UserDeletion(deletedAt: deleted.updatedAt, purgeAt: deleted.updatedAt + .seconds(60)))
    #expect(deleted.updatedAt > user.updatedAt)
    #expect(try await repository.user(id: user.id) == nil)
    #expect(try await repository.credential(email: user.email) == nil)
    #expect(try await !repository.readUser(email: user.email, showsDeleted: false) { _, _, _ in })
    var shown: [User] = []
    _ = try await repository.readUser(id: user.id, showsDeleted: true) {
      shown.append(User($0, email: $1, name: $2))
    }
    _ = try await repository.readUser(email: user.email, showsDeleted: true) {
      shown.append(User($0, email: $1, name: $2))
    }
    #expect(shown == [deleted, deleted])
    await #expect(throws: UserError.emailAlreadyRegistered) { try await repository.create(.sample(1)) }
    await #expect(throws: UserError.notFound(user.id.description)) {
      try await repository.update(user.id, UserChanges(name: UserName("x")))
    }
    try await repository.close()
  }

  @Test("a user that is undeleted is as before, except for its version", arguments: Engine.all)
  func undeleted(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let hash = PasswordHash(phcString: "x")
    let user = try await repository.create(.sample(1, passwordHash: hash))
    await #expect(throws: UserError.notDeleted) { try await repository.undelete(user.id, UserWrite()) }
    let deleted = try await repository.delete(user.id, soft, UserWrite())
    await #expect(throws: UserError.notFound(user.id.description)) {
      try await repository.delete(user.id, soft, UserWrite())
    }
    let again = try await repository.delete(
      user.id, .soft(retention: .zero, allowsDeleted: true), UserWrite(version: user.version))
    #expect(again == deleted)
    await #expect(throws: UserError.versionMismatch) {
      try await repository.undelete(user.id, UserWrite(version: user.version))
    }
    let restored = try await repository.undelete(user.id, UserWrite(version: deleted.version))
    #expect(restored == user.with(deletion: nil, updatedAt: restored.updatedAt))
    #expect(restored.updatedAt > deleted.updatedAt)
    #expect(try await repository.credential(email: user.email)?.passwordHash == hash)
    try await repository.close()
  }

  @Test(
    "tokens of a deleted user are revoked, also after a restart, and those before stay so when it is undeleted",
    arguments: Engine.durable)
  func tokens(engine: Engine) async throws {
    var repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1))
    let claims = AccessTokenClaims(
      principal: Principal(subject: user.id.description, scopes: []), issuedAt: clock.now,
      expiresAt: clock.now + .seconds(900), epoch: 0)
    let foreign = AccessTokenClaims(
      principal: Principal(subject: user.id.description, scopes: []), issuedAt: clock.now + .seconds(600),
      expiresAt: clock.now + .seconds(900))
    #expect(!repository.revocations.isRevoked(claims) && !repository.revocations.isRevoked(foreign))
    _ = try await repository.delete(user.id, soft, UserWrite())
    #expect(repository.revocations.isRevoked(claims) && repository.revocations.isRevoked(foreign))
    await #expect(throws: UserError.unauthenticated(.revoked)) {
      try await repository.update(
        user.id, UserChanges(), UserWrite(by: WriteAuthority(userID: user.id, epoch: 1)))
    }
    try await repository.close()
    repository = try await fixture.open(engine)
    #expect(repository.revocations.isRevoked(claims) && repository.revocations.isRevoked(foreign))
    _ = try await repository.undelete(user.id, UserWrite())
    #expect(repository.revocations.isRevoked(claims))
    #expect(!repository.revocations.isRevoked(foreign))
    try await repository.close()
  }

  @Test("a user is purged when it is due, with everything that belongs to it", arguments: Engine.durable)
  func purged(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let users = try await repository.create((0..<200).map { NewUser.sample($0) }).map { try $0.get() }
    for user in users.prefix(150) { _ = try await repository.delete(user.id, soft, UserWrite()) }
    #expect(try await repository.purge(at: clock.now) == 0)
    clock.advance(by: .seconds(61))
    #expect(try await repository.purge(at: clock.now) == 150)
    #expect(try await repository.purge(at: clock.now) == 0)
    #expect(try await !repository.readUser(id: users[0].id, showsDeleted: true) { _, _, _ in })
    #expect(try await repository.user(id: users[150].id) != nil)
    let again = try await repository.create(.sample(0))
    #expect(again.id != users[0].id)
    try await repository.close()
    let other = try await fixture.other(engine)
    #expect(try await other.count("token_epochs") == 0)
    try await other.close()
  }

  @Test("an expunged user's address is free at once", arguments: Engine.all)
  func expunged(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1))
    await #expect(throws: UserError.versionMismatch) {
      try await repository.delete(user.id, .expunge, UserWrite(version: UserVersion(clock.now + .seconds(1))))
    }
    let gone = try await repository.delete(user.id, .expunge, UserWrite(version: user.version))
    #expect(gone.deletion?.purgeAt == gone.updatedAt)
    _ = try await repository.create(.sample(1))
    let other = try await repository.create(.sample(2))
    _ = try await repository.delete(other.id, soft, UserWrite())
    _ = try await repository.delete(other.id, .expunge, UserWrite())
    await #expect(throws: UserError.notFound(other.id.description)) {
      try await repository.delete(other.id, .expunge, UserWrite())
    }
    try await repository.close()
  }

  @Test(
    "tokens of an erased user stay revoked after a restart, and in another process",
    arguments: Engine.durable, [false, true])
  func tokensOfErased(engine: Engine, isPurged: Bool) async throws {
    var repository = try await fixture.open(engine)
    let other = try await fixture.open(engine)
    let user = try await repository.create(.sample(1))
    let claims = AccessTokenClaims(
      principal: Principal(subject: user.id.description, scopes: .usersRead), issuedAt: clock.now,
      expiresAt: clock.now + .seconds(90 * 86_400), epoch: 0)
    if isPurged {
      _ = try await repository.delete(user.id, soft, UserWrite())
      clock.advance(by: .seconds(61))
      #expect(try await repository.purge(at: clock.now) == 1)
    } else {
      _ = try await repository.delete(user.id, .expunge, UserWrite())
    }
    #expect(repository.revocations.isRevoked(claims))
    await other.inspect()
    #expect(other.revocations.isRevoked(claims))
    try await other.close()
    try await repository.close()
    repository = try await fixture.open(engine)
    #expect(repository.revocations.isRevoked(claims))
    // What is kept of it goes when every token has expired, with the next user that is erased.
    clock.advance(by: .seconds(92 * 86_400))
    let next = try await repository.create(.sample(2))
    _ = try await repository.delete(next.id, .expunge, UserWrite())
    try await repository.close()
    let file = try await fixture.other(engine)
    #expect(try await file.count("erased_users") == 1)
    try await file.close()
  }

  @Test(
    "a user that is imported with the id of an erased one has none of its tokens, and can have its own",
    arguments: Engine.durable)
  func importedAgain(engine: Engine) async throws {
    var repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1))
    func claims(_ epoch: Int64) -> AccessTokenClaims {
      AccessTokenClaims(
        principal: Principal(subject: user.id.description, scopes: []), issuedAt: clock.now,
        expiresAt: clock.now + .seconds(900), epoch: epoch)
    }
    _ = try await repository.delete(user.id, .expunge, UserWrite())
    clock.advance(by: .milliseconds(1))
    let row = ForeignUser(id: user.id, email: user.email, name: user.name, createdAt: user.createdAt)
    #expect(
      try await repository.importUsers([row], by: nil) == [
        .success(UserImport(id: user.id, wasStored: false))
      ])
    // No etag of the erased one is its own.
    let returned = try #require(try await repository.user(id: user.id))
    #expect(returned.updatedAt > user.updatedAt && returned.createdAt == user.createdAt)
    for _ in 0..<2 {
      let epoch = try #require(try await repository.credential(email: user.email)).epoch
      #expect(epoch == repository.revocations.epoch(of: user.id))
      #expect((0..<epoch).allSatisfy { repository.revocations.isRevoked(claims($0)) })
      #expect(!repository.revocations.isRevoked(claims(epoch)))
      try await repository.close()
      repository = try await fixture.open(engine)
    }
    try await repository.close()
  }

  @Test("a retried creation of a deleted user is not answered with the user as it was", arguments: Engine.all)
  func retriedCreation(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let id = try RequestID(UUID().uuidString)
    let user = try await repository.create(CreateRequest(.sample(1), id: id)).user
    _ = try await repository.delete(user.id, soft, UserWrite())
    await #expect(throws: UserError.emailAlreadyRegistered) {
      try await repository.create(CreateRequest(.sample(1), id: id))
    }
    try await repository.close()
  }

  @Test("the current password of a deleted user can be given when it is expunged", arguments: Engine.all)
  func proofOfDeleted(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let directory = UserDirectory(repository: repository, hasher: PlainHasher())
    let user = try await repository.create(
      .sample(1, passwordHash: PasswordHash(phcString: "plain:right horse")))
    _ = try await repository.delete(user.id, soft, UserWrite())
    func expunge(_ password: String) async throws -> User {
      try await directory.deleteUser(
        UserReference(user.id), UserDeletionRequest(expunges: true),
        proof: PasswordProof(
          currentPassword: password, isRequired: false, network: PeerNetwork(peer: "unix")),
        for: .service)
    }
    await #expect(throws: UserError.wrongCurrentPassword) { try await expunge("wrong horse") }
    _ = try await expunge("right horse")
    try await repository.close()
  }
}
