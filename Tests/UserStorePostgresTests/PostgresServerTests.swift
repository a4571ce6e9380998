import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStorePostgres

/// Tests a store whose server ends and comes back.
@Suite(.tags(.io), .fewAtOnce, .timeLimit(.minutes(10))) struct PostgresServerTests {
  enum End: CaseIterable {
    case stopped, crashed, killed
  }

  @Test(
    "a store fails while its server is away, returns by itself, and has what was acknowledged",
    arguments: postgresVersions)
  func comesBack(programs: PostgresPrograms?) async throws {
    guard let programs else { throw PostgresPrograms.Missing() }
    let server = try await PostgresServer.start(programs)
    let repository = try await PostgresUserRepository(PostgresAddress(server.database()))
    var users: [User] = []
    for (number, end) in End.allCases.enumerated() {
      users.append(try await repository.create(.sample(number)))
      switch end {
      case .stopped: try await server.stop()
      case .crashed: try await server.stopImmediately()
      case .killed: try await server.kill()
      }
      let error = await #expect(throws: UserError.self) { try await repository.create(.sample(100)) }
      guard case .storage(let fault) = error, fault.kind == .disconnected else {
        Issue.record("\(String(describing: error))")
        continue
      }
      try await server.start()
      try await eventually("the store is back") {
        await repository.recover()
        return repository.writeFault == nil
      }
      // Reads fail until then.
      try await eventually("the readers are back") { (try? await repository.lastPlace()) != nil }
      for user in users { #expect(try await repository.user(id: user.id) == user) }
    }
    try await repository.close()
  }

  @Test("a list of revoked tokens that can no longer be read is a fault, until it can be read again")
  func revocationsUnread() async throws {
    let address = try await newDatabase(postgresVersions[0])
    let repository = try await PostgresUserRepository(address)
    let other = try connect(address)
    _ = try other.executeAll("ALTER TABLE store_revision RENAME TO moved")
    for _ in 0..<3 { await repository.inspect() }
    #expect(repository.writeFault == nil)
    await repository.inspect()
    #expect(repository.writeFault != nil)
    _ = try other.executeAll("ALTER TABLE moved RENAME TO store_revision")
    // A write that succeeds says nothing of what is read.
    await repository.recover()
    #expect(repository.writeFault != nil)
    await repository.inspect()
    await repository.recover()
    #expect(repository.writeFault == nil)
    try await repository.close()
  }
}
