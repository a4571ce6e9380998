import Foundation
import GRDB
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStoreSQLite

/// Tests deletion, undeletion and purging, and what of a purged user stays in the files.
@Suite(.tags(.io)) struct DeletionTests {
  private let directory: TemporaryDirectory
  private let clock = ManualClock()
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("users.db")
  }

  private func open() throws -> SQLiteUserRepository {
    try SQLiteUserRepository(
      .file(path), schema: .migrate, configuration: .init(),
      writes: WriteSettings(clock: { [clock] in clock.now }))
  }

  private let soft = UserRemoval.soft(retention: .seconds(60), allowsDeleted: false)

  @Test("a deleted user is found only where deleted users are shown, and its address stays reserved")
  func hidden() async throws {
    let repository = try open()
    let user = try await repository.create(.sample(1, passwordHash: PasswordHash(phcString: "x")))
    let deleted = try await repository.delete(user.id, soft, UserWrite())
    #expect(
      deleted.deletion
        == UserDeletion(deletedAt: deleted.updatedAt, purgeAt: deleted.updatedAt + .seconds(60)))
    #expect(deleted.updatedAt > user.updatedAt)
    #expect(try repository.user(id: user.id) == nil)
    #expect(try repository.credential(email: user.email) == nil)
    #expect(try !repository.readUser(email: user.email, showsDeleted: false) { _, _, _ in })
    var shown: [User] = []
    _ = try repository.readUser(id: user.id, showsDeleted: true) {
      shown.append(User($0, email: $1, name: $2))
    }
    _ = try repository.readUser(email: user.email, showsDeleted: true) {
      shown.append(User($0, email: $1, name: $2))
    }
    #expect(shown == [deleted, deleted])
    await #expect(throws: UserError.emailAlreadyRegistered) { try await repository.create(.sample(1)) }
    await #expect(throws: UserError.notFound(user.id.description)) {
      try await repository.update(user.id, UserChanges(name: UserName("x")))
    }
    try await repository.close()
  }

  @Test("a user that is undeleted is as before, except for its version")
  func undeleted() async throws {
    let repository = try open()
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
    #expect(try repository.credential(email: user.email)?.passwordHash == hash)
    try await repository.close()
  }

  @Test(
    "tokens of a deleted user are revoked, also after a restart, and those before stay so when it is undeleted"
  )
  func tokens() async throws {
    var repository = try open()
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
    repository = try open()
    #expect(repository.revocations.isRevoked(claims) && repository.revocations.isRevoked(foreign))
    _ = try await repository.undelete(user.id, UserWrite())
    #expect(repository.revocations.isRevoked(claims))
    #expect(!repository.revocations.isRevoked(foreign))
    try await repository.close()
  }

  @Test("a user is purged when it is due, with everything that belongs to it")
  func purged() async throws {
    let repository = try open()
    let users = try await repository.create((0..<200).map { NewUser.sample($0) }).map { try $0.get() }
    for user in users.prefix(150) { _ = try await repository.delete(user.id, soft, UserWrite()) }
    #expect(try await repository.purge(at: clock.now) == 0)
    clock.advance(by: .seconds(61))
    #expect(try await repository.purge(at: clock.now) == 150)
    #expect(try await repository.purge(at: clock.now) == 0)
    #expect(try !repository.readUser(id: users[0].id, showsDeleted: true) { _, _, _ in })
    #expect(try repository.user(id: users[150].id) != nil)
    let again = try await repository.create(.sample(0))
    #expect(again.id != users[0].id)
    try await repository.close()
    let other = try OtherConnection(path)
    #expect(try await other.firstInteger("SELECT count(*) FROM token_epochs") == 0)
    try other.close()
  }

  @Test("an expunged user's address is free at once")
  func expunged() async throws {
    let repository = try open()
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
    "tokens of an erased user stay revoked after a restart, and in another process", arguments: [false, true])
  func tokensOfErased(isPurged: Bool) async throws {
    var repository = try open()
    let other = try open()
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
    repository = try open()
    #expect(repository.revocations.isRevoked(claims))
    // What is kept of it goes when every token has expired, with the next user that is erased.
    clock.advance(by: .seconds(92 * 86_400))
    let next = try await repository.create(.sample(2))
    _ = try await repository.delete(next.id, .expunge, UserWrite())
    try await repository.close()
    let file = try OtherConnection(path)
    #expect(try await file.firstInteger("SELECT count(*) FROM erased_users") == 1)
    try file.close()
  }

  @Test("a user that is imported with the id of an erased one has none of its tokens, and can have its own")
  func importedAgain() async throws {
    var repository = try open()
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
    let returned = try #require(try repository.user(id: user.id))
    #expect(returned.updatedAt > user.updatedAt && returned.createdAt == user.createdAt)
    for _ in 0..<2 {
      let epoch = try #require(try repository.credential(email: user.email)).epoch
      #expect(epoch == repository.revocations.epoch(of: user.id))
      #expect((0..<epoch).allSatisfy { repository.revocations.isRevoked(claims($0)) })
      #expect(!repository.revocations.isRevoked(claims(epoch)))
      try await repository.close()
      repository = try open()
    }
    try await repository.close()
  }

  @Test("a retried creation of a deleted user is not answered with the user as it was")
  func retriedCreation() async throws {
    let repository = try open()
    let id = try RequestID(UUID().uuidString)
    let user = try await repository.create(CreateRequest(.sample(1), id: id)).user
    _ = try await repository.delete(user.id, soft, UserWrite())
    await #expect(throws: UserError.emailAlreadyRegistered) {
      try await repository.create(CreateRequest(.sample(1), id: id))
    }
    try await repository.close()
  }

  @Test("the current password of a deleted user can be given when it is expunged")
  func proofOfDeleted() async throws {
    let repository = try open()
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

  @Test(
    "purged users leave no byte of their texts in the files, whatever pages they have been in",
    arguments: 0..<4)
  func traces(seed: UInt64) async throws {
    let repository = try open()
    var random = SplitMix(seed: seed)
    var live: [User] = []
    var gone: [String] = []
    for round in 0..<40 {
      let new = (0..<60).map { number in
        let mark = random.mark()
        return ForeignUser(
          id: Bool.random(using: &random)
            ? UserID(high: random.next() & ~0xf000 | 0x4000, low: random.next() >> 2 | 1 << 63) : nil,
          email: EmailAddress(trusted: "\(mark)@example.com"),
          name: UserName(trusted: "name \(mark)" + String(repeating: "n", count: Int(random.next() % 200))),
          labels: UserLabels(trusted: number % 3 == 0 ? "old=\(mark)\n" : ""),
          passwordHash: PasswordHash(phcString: "hash \(mark)"))
      }
      for (row, outcome) in zip(new, try await repository.importUsers(new[...], by: nil)) {
        live.append(try #require(try repository.user(id: outcome.get().id)))
        _ = row
      }
      for _ in 0..<20 {
        let index = Int(random.next() % UInt64(live.count))
        gone.append(live[index].mark)
        let mark = random.mark()
        live[index] = try await repository.update(
          live[index].id,
          UserChanges(
            email: EmailAddress(trusted: "\(mark)@example.com"), name: UserName(trusted: "name \(mark)"),
            password: .replace(PasswordHash(phcString: "hash \(mark)")), labels: UserLabels()))
      }
      for _ in 0..<20 {
        let user = live.remove(at: Int(random.next() % UInt64(live.count)))
        gone.append(user.mark)
        _ = try await repository.delete(user.id, round % 2 == 0 ? .expunge : soft, UserWrite())
      }
      clock.advance(by: .seconds(61))
      _ = try await repository.purge(at: clock.now)
    }
    try await eventually("the log is empty") {
      await repository.inspect()
      return try Data(contentsOf: URL(fileURLWithPath: path + "-wal")).isEmpty
    }
    let file = try Data(contentsOf: URL(fileURLWithPath: path))
    let found = gone.filter { file.range(of: Data($0.utf8)) != nil }
    #expect(found.isEmpty, "\(found.count) of \(gone.count)")
    // What is not purged is there, so that the search can find something.
    #expect(live.allSatisfy { file.range(of: Data($0.mark.utf8)) != nil })
    try await repository.close()
    let other = try OtherConnection(path)
    #expect(
      try await other.firstInteger("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'")
        == 1)
    try other.close()
  }
}

extension User {
  /// The text that only this state of the user has.
  fileprivate var mark: String { String(email.address.prefix { $0 != "@" }) }
}

/// A generator of repeatable random numbers (Steele, Lea and Flood, 2014).
private struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var number = state
    number = (number ^ number >> 30) &* 0xbf58_476d_1ce4_e5b9
    number = (number ^ number >> 27) &* 0x94d0_49bb_1331_11eb
    return number ^ number >> 31
  }

  /// Returns a text that occurs once.
  mutating func mark() -> String { "m" + String(next(), radix: 36) }
}
