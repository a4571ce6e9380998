import Synchronization
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStorePostgres

/// Tests that clients who write the same thing again and again do not keep others from writing.
@Suite(.tags(.io), .fewAtOnce, .timeLimit(.minutes(10))) struct ConflictingWritesTests {
  private final class Count: Sendable {
    private let number = Atomic(0)
    var value: Int { number.load(ordering: .sequentiallyConsistent) }
    func increase() { number.add(1, ordering: .sequentiallyConsistent) }
  }

  /// Submits writes while the lock of `store_revision` is held, and then lets them run.
  private func whileHeld<Value: Sendable>(
    _ address: PostgresAddress, _ repository: PostgresUserRepository, _ count: Int,
    _ submit: () -> Value
  ) async throws -> Value {
    let other = try connect(address)
    try await eventually("the writer is idle") { !repository.isWriting }
    _ = try other.executeAll("BEGIN; SELECT 1 FROM store_revision FOR UPDATE")
    let first = Task { try await repository.create(.sample(1_000_000)) }
    try await eventually("the writer has taken the first write") {
      repository.isWriting && repository.waitingWrites == 0
    }
    let value = submit()
    try await eventually("all writes wait") { repository.waitingWrites == count }
    _ = try other.executeAll("COMMIT")
    _ = try await first.value
    return value
  }

  private func open(_ address: PostgresAddress) async throws -> PostgresUserRepository {
    var configuration = PostgresUserRepository.Configuration()
    configuration.busyTimeout = .seconds(600)
    return try await PostgresUserRepository(
      address, schema: .requireCurrent, configuration: configuration, writes: WriteSettings())
  }

  @Test("users are created while many changes of one user wait for each other", arguments: postgresVersions)
  func oneUser(programs: PostgresPrograms?) async throws {
    let address = try await newDatabase(programs)
    let repository = try await open(address)
    let user = try await repository.create(.sample(0)).id
    let changes = Count()
    let tasks = try await whileHeld(address, repository, 210) {
      let updates = (0..<200).map { number in
        Task {
          _ = try await repository.update(user, UserChanges(name: UserName(trusted: "\(number)")))
          changes.increase()
        }
      }
      let creations = (1...10).map { number in
        Task {
          _ = try await repository.create(.sample(number))
          return changes.value
        }
      }
      return (updates: updates, creations: creations)
    }
    // Each change has a transaction of its own, and the users are created in the first one.
    for creation in tasks.creations { #expect(try await creation.value < 100) }
    for update in tasks.updates { try await update.value }
    try await repository.close()
  }

  @Test("a session that is ended many times at once is ended in one transaction", arguments: postgresVersions)
  func oneSession(programs: PostgresPrograms?) async throws {
    let address = try await newDatabase(programs)
    let repository = try await open(address)
    let session = SessionID.random()
    let tasks = try await whileHeld(address, repository, 300) {
      (0..<300).map { _ in Task { try await repository.end(session, now: .now) } }
    }
    for task in tasks { try await task.value }
    let handle = try connect(address)
    // One for the write that held the others up, and one for all of them.
    #expect(try handle.execute("SELECT number FROM store_revision").text(0, 0) == "2")
    try await repository.close()
  }
}
