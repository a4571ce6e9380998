import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStorePostgres

/// Tests users that are stored in the expectation that their addresses are free.
@Suite(.tags(.io), .fewAtOnce, .timeLimit(.minutes(5))) struct ConflictForecastTests {
  @Test("a conflict is expected for a while after one was met, and always among few rows")
  func forecast() {
    var forecast = ConflictForecast()
    #expect(forecast.expectsConflict(among: 64))
    #expect(!forecast.expectsConflict(among: 65))
    forecast.metConflict()
    for _ in 0..<64 {
      #expect(forecast.expectsConflict(among: 65))
      forecast.committed()
    }
    #expect(!forecast.expectsConflict(among: 65))
  }

  @Test("of many users, those whose address is taken fail alone", arguments: postgresVersions)
  func manyWithConflicts(programs: PostgresPrograms?) async throws {
    let repository = try await PostgresUserRepository(try await newDatabase(programs))
    _ = try await repository.create(.sample(150))
    // Twice: with and without the expectation of a conflict.
    for round in 1...2 {
      let requests = (0..<200).map { NewUser.sample($0 == 150 || $0 == 0 ? $0 : 1_000 * round + $0) }
      let outcomes = try await repository.create(requests + [.sample(1_000 * round + 1)])
      for (index, outcome) in outcomes.enumerated() {
        if index == 150 || index == 200 || (index == 0 && round == 2) {
          #expect(outcome == .failure(.emailAlreadyRegistered))
        } else {
          let user = try outcome.get()
          #expect(try await repository.user(id: user.id) == user)
        }
      }
    }
    #expect(repository.writeFault == nil)
    try await repository.close()
  }
}
