import PasswordHashing
import Primitives
import TestSupport
import Testing
import UserStoreSQLite

@testable import UserDomain

/// Tests sign-in with hashes of other systems, and what replaces them.
@Suite(.tags(.io), .timeLimit(.minutes(10))) struct ImportedHashSignInTests {
  private let repository: SQLiteUserRepository
  private let hasher: Argon2idHasher
  private let upgrades = AsyncStream.makeStream(of: Void.self)

  init() throws {
    repository = try SQLiteUserRepository(.inMemory)
    hasher = try Argon2idHasher(parameters: Argon2Parameters(memoryKiB: 7_168, iterations: 5, parallelism: 1))
  }

  private struct EmptyIssuer: AccessTokenIssuer {
    func issue(_ claims: AccessTokenClaims) throws(UserError) -> String { "" }
  }

  private func directory() -> SessionDirectory {
    SessionDirectory(
      users: repository,
      sessions: UpgradeObserver(repository) { [continuation = upgrades.continuation] in continuation.yield()
      },
      attempts: PasswordAttempts(repository), hasher: hasher, issuer: EmptyIssuer(),
      key: [UInt8](repeating: 7, count: 32))
  }

  /// Creates a user with an imported hash.
  private func user(_ hash: String) async throws -> User {
    try await repository.create(.sample(1, passwordHash: hasher.accept(foreign: hash)))
  }

  private func storedHash(of user: User) throws -> String? {
    try repository.credential(email: user.email)?.passwordHash?.phcString
  }

  @Test(
    "a sign-in replaces an imported hash by one of the same password",
    arguments: [
      // By the PyPI package bcrypt.
      ("correct horse", "$2b$04$tQY.IzGI4UOpV5M.Z0yARuRZLsMarkR/kO.I.qnSi4Ancq7gaQ/HW"),
      // By passlib, of it\'s, as WordPress has it.
      ("it's", "$P$5Lm7IFUSNMHq68bec9iWJiriPyi8bT."),
      // By passlib, of 1 &lt; 2, as phpBB has it.
      ("1 < 2", "$H$5mrjXetQdtCr//.Ctw1/pbmiegFZQr0"),
    ])
  func upgrade(password: String, hash: String) async throws {
    let user = try await user(hash)
    _ = try await directory().signIn(email: user.email.address, password: password)
    for await _ in upgrades.stream { break }
    #expect(try storedHash(of: user)?.hasPrefix("$argon2id$v=19$m=7168,t=5,p=1$") == true)
    _ = try await directory().signIn(email: user.email.address, password: password)
  }

  @Test(
    "a sign-in by a text of which a part is ignored keeps the hash, and the original password",
    arguments: [
      // By the PyPI package bcrypt, of 72 times x.
      (
        String(repeating: "x", count: 72), String(repeating: "x", count: 72) + "!",
        "$2b$04$eeeeeeeeeeeeeeeeeeeeeOhcKPDssc8LgHLS9m.q60cVHQVeMIwE."
      ),
      // By passlib.
      ("correct horse", " correct horse", "$P$54COaDNF/zy04BI83PlcYx19/njN5v/"),
    ])
  func keep(password: String, typed: String, hash: String) async throws {
    let user = try await user(hash)
    let address = user.email.address
    _ = try await directory().signIn(email: address, password: typed)
    #expect(try storedHash(of: user) == hash)
    _ = try await directory().signIn(email: address, password: password)
    // The only upgrade is that of the second sign-in.
    for await _ in upgrades.stream { break }
    #expect(try storedHash(of: user) != hash)
    _ = try await directory().signIn(email: address, password: password)
    await #expect(throws: UserError.wrongCredentials) {
      try await directory().signIn(email: address, password: typed)
    }
  }
}
