import Foundation
import TestSupport
import Testing
import UserDomain
import UserStore

/// Tests requests to create a user that have an id, and so can be retried.
@Suite(.tags(.io), .fewAtOnce, .timeLimit(.minutes(10))) struct CreateRequestTests {
  private let fixture: StoreFixture
  private let clock = ManualClock()
  private let id: RequestID

  init() throws {
    fixture = try StoreFixture(clock: clock)
    id = try RequestID(UUID().uuidString)
  }

  private func used(_ repository: any ServiceStore, _ request: CreateRequest) async {
    await #expect(throws: UserError.invalid([.requestIDUsed])) { try await repository.create(request) }
  }

  @Test(
    "a retry returns the user as first created, even after a restart and a change of the user",
    arguments: Engine.durable)
  func repeated(engine: Engine) async throws {
    var repository = try await fixture.open(engine)
    let first = try await repository.create(CreateRequest(.sample(1), id: id))
    #expect(first.earlier == nil)
    _ = try await repository.update(first.user.id, UserChanges(name: UserName("Another"), status: .inactive))
    try await repository.close()
    clock.advance(by: .seconds(60))
    repository = try await fixture.open(engine)
    let second = try await repository.create(CreateRequest(.sample(1), id: id))
    #expect(second == Creation(first.user, earlier: .init(passwordHash: nil)))
    #expect(try await repository.lastPlace() == first.user.id)
    try await repository.close()
  }

  @Test("the same id with another address or name is refused, and stores nothing", arguments: Engine.all)
  func otherContent(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let first = try await repository.create(CreateRequest(.sample(1), id: id)).user
    await used(repository, CreateRequest(.sample(2), id: id))
    await used(
      repository, CreateRequest(NewUser(email: first.email, name: UserName(trusted: "Other")), id: id))
    // The concatenated bytes of both are the same.
    await used(
      repository,
      CreateRequest(
        NewUser(email: EmailAddress(trusted: "user1@example.comU"), name: UserName(trusted: "ser 1")), id: id)
    )
    #expect(try await repository.lastPlace() == first.id)
    try await repository.close()
  }

  @Test("another id, or no id, finds the address taken", arguments: Engine.all)
  func otherID(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    _ = try await repository.create(CreateRequest(.sample(1), id: id))
    for other in [nil, try RequestID(UUID().uuidString)] {
      await #expect(throws: UserError.emailAlreadyRegistered) {
        try await repository.create(CreateRequest(.sample(1), id: other))
      }
    }
    try await repository.close()
  }

  @Test("a failed request is not recorded", arguments: Engine.all)
  func failed(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    _ = try await repository.create(.sample(1))
    await #expect(throws: UserError.emailAlreadyRegistered) {
      try await repository.create(CreateRequest(.sample(1), id: id))
    }
    #expect(try await repository.create(CreateRequest(.sample(2), id: id)).earlier == nil)
    try await repository.close()
  }

  @Test("equal requests in one batch, or sent together, are done once", arguments: Engine.all)
  func atOnce(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let batch = try await repository.create([
      CreateRequest(.sample(1), id: id), CreateRequest(.sample(1), id: id), CreateRequest(.sample(2), id: id),
    ])
    let first = try batch[0].get().user
    #expect(try batch[1].get().user == first)
    #expect(throws: UserError.invalid([.requestIDUsed])) { try batch[2].get() }
    let other = try RequestID(UUID().uuidString)
    let users = try await withThrowingTaskGroup(of: User.self) { group in
      for _ in 0..<50 {
        group.addTask { try await repository.create(CreateRequest(.sample(3), id: other)).user }
      }
      return try await group.reduce(into: Set()) { $0.insert($1) }
    }
    #expect(users.count == 1)
    try await repository.close()
  }

  @Test(
    "a request of a batch that fails leaves its id to the next one, as if each were sent alone",
    arguments: Engine.all)
  func failedInBatch(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    for number in 1...3 { _ = try await repository.create(.sample(number)) }
    let other = try RequestID(UUID().uuidString)
    let batch = [
      // An address that is taken, one that an earlier request of the batch takes, and a free one.
      CreateRequest(.sample(1), id: id), CreateRequest(.sample(4), id: nil),
      CreateRequest(.sample(2), id: other),
      CreateRequest(.sample(4), id: id), CreateRequest(.sample(5), id: id), CreateRequest(.sample(6), id: id),
      CreateRequest(.sample(5), id: id), CreateRequest(.sample(5), id: other),
      CreateRequest(.sample(3), id: other),
      CreateRequest(.sample(7), id: other), CreateRequest(.sample(7), id: nil),
    ]
    let outcomes = try await repository.create(batch).map {
      $0.map { ($0.user.email.address, $0.earlier != nil) }
    }
    let expected: [Result<(String, Bool), UserError>] = [
      .failure(.emailAlreadyRegistered), .success(("user4@example.com", false)),
      .failure(.emailAlreadyRegistered),
      .failure(.emailAlreadyRegistered), .success(("user5@example.com", false)),
      .failure(.invalid([.requestIDUsed])), .success(("user5@example.com", true)),
      .failure(.emailAlreadyRegistered), .failure(.emailAlreadyRegistered),
      .success(("user7@example.com", false)),
      .failure(.emailAlreadyRegistered),
    ]
    #expect(outcomes.map { "\($0)" } == expected.map { "\($0)" })
    // The ids are those of the requests that were done.
    #expect(try await repository.create(CreateRequest(.sample(5), id: id)).earlier != nil)
    #expect(try await repository.create(CreateRequest(.sample(7), id: other)).earlier != nil)
    try await repository.close()
  }

  @Test("a request is kept for 24 hours, and expired ones are deleted", arguments: Engine.durable)
  func forgotten(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let first = try await repository.create(CreateRequest(.sample(1), id: id)).user
    clock.advance(by: CreateRequest.retention - .microseconds(1))
    #expect(try await repository.create(CreateRequest(.sample(1), id: id)).user == first)
    clock.advance(by: .microseconds(1))
    await #expect(throws: UserError.emailAlreadyRegistered) {
      try await repository.create(CreateRequest(.sample(1), id: id))
    }
    // The id is free, and its new request is recorded.
    let second = try await repository.create(CreateRequest(.sample(2), id: id)).user
    clock.advance(by: CreateRequest.retention - .microseconds(1))
    #expect(try await repository.create(CreateRequest(.sample(2), id: id)).user == second)
    clock.advance(by: .seconds(1))
    _ = try await repository.create(CreateRequest(.sample(3), id: RequestID(UUID().uuidString)))
    let other = try await fixture.other(engine)
    #expect(try await other.count("create_requests") == 1)
    try await other.close()
    try await repository.close()
  }

  @Test("a request stored by a clock that was ahead expires too", arguments: Engine.durable)
  func clockWasAhead(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    clock.advance(by: .seconds(3_650 * 86_400))
    let first = try await repository.create(CreateRequest(.sample(1), id: id)).user
    clock.advance(by: .zero - CreateRequest.retention + .microseconds(1))
    #expect(try await repository.create(CreateRequest(.sample(1), id: id)).user == first)
    clock.advance(by: .microseconds(-1))
    await #expect(throws: UserError.emailAlreadyRegistered) {
      try await repository.create(CreateRequest(.sample(1), id: id))
    }
    clock.advance(by: .seconds(-3_600 * 86_400))
    let other = try RequestID(UUID().uuidString)
    let second = try await repository.create(CreateRequest(.sample(2), id: other)).user
    #expect(try await repository.create(CreateRequest(.sample(2), id: other)).user == second)
    let connection = try await fixture.other(engine)
    #expect(try await connection.count("create_requests") == 1)
    try await connection.close()
    try await repository.close()
  }

  @Test(
    "a user's new password deletes the record of its creation, a new name does not", arguments: Engine.all)
  func passwordChanged(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let hash = PasswordHash(phcString: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g")
    let request = CreateRequest(.sample(1, passwordHash: hash), id: id)
    let first = try await repository.create(request).user
    _ = try await repository.update(first.id, UserChanges(name: UserName("Another")))
    #expect(try await repository.create(request) == Creation(first, earlier: .init(passwordHash: hash)))
    _ = try await repository.update(first.id, UserChanges(password: .remove))
    await #expect(throws: UserError.emailAlreadyRegistered) { try await repository.create(request) }
    try await repository.close()
  }

  @Test(
    "text that is not a UUID is not a request id",
    arguments: ["x", "00000000-0000-0000-0000-000000000000", " ", "\u{0}"])
  func malformed(text: String) {
    #expect(throws: FieldViolation.self) { try RequestID(text) }
  }
}
