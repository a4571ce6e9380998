import TestSupport
import Testing
import UserDomain
import UserStore
import UserStorePostgres

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
      try await eventually("the readers are back") { (try? await repository.lastPlace()) != nil }
      for user in users { #expect(try await repository.user(id: user.id) == user) }
    }
    try await repository.close()
  }
}
