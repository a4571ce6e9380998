import TestSupport
import Testing
import UserDomain
import UserStore

/// Tests how writes share transactions, wait and are refused.
@Suite(.tags(.io), .fewAtOnce, .timeLimit(.minutes(10))) struct GroupCommitTests {
  private let fixture: StoreFixture
  private let clock = ManualClock()

  init() throws { fixture = try StoreFixture(clock: clock) }

  @Test("a write cancelled while it waits is skipped, and reported as cancelled", arguments: Engine.durable)
  func cancellation(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    // Another process's lock holds the writer up.
    let other = try await fixture.other(engine)
    try await other.holdWrites(of: repository)
    let first = Task { try await repository.create(.sample(1)) }
    // The writer has taken `first` when it waits for the lock; `second` then waits for the writer.
    try await eventually("the writer has taken the first write") {
      repository.isWriting && repository.waitingWrites == 0
    }
    let second = Task { try await repository.create(.sample(2)) }
    try await eventually("the second write waits") { repository.waitingWrites == 1 }
    second.cancel()
    await #expect(throws: UserError.cancelled) { try await second.value }
    try await other.releaseWrites()
    let user = try await first.value
    #expect(try await repository.lastPlace() == user.id)
    #expect(try await repository.credential(email: EmailAddress("user2@example.com")) == nil)
    try await other.close()
    try await repository.close()
  }

  @Test("a write whose task is already cancelled is refused", arguments: Engine.all)
  func cancelledBefore(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let task = Task {
      await untilCancelled()
      return try await repository.create(.sample(1))
    }
    task.cancel()
    await #expect(throws: UserError.cancelled) { try await task.value }
    #expect(try await repository.lastPlace() == nil)
    try await repository.close()
  }

  @Test(
    "a write beyond the queue's bound is refused as overloaded, and nothing is lost",
    arguments: Engine.durable)
  func overloaded(engine: Engine) async throws {
    let repository = try await fixture.open(engine, limits: WriteLimits(waitingRows: 10))
    let other = try await fixture.other(engine)
    try await other.holdWrites(of: repository)
    let first = Task { try await repository.create(.sample(50)) }
    try await eventually("the writer has taken the first write") {
      repository.isWriting && repository.waitingWrites == 0
    }
    let writes = (0..<50).map { number in Task { try await repository.create(.sample(number)) } }
    try await eventually("ten writes wait") { repository.waitingWrites == 10 }
    let late = await #expect(throws: UserError.self) { try await repository.create(.sample(99)) }
    #expect(late == .overloaded(retryAfter: .seconds(1)))
    try await other.releaseWrites()
    var stored: Set<UserID> = [try await first.value.id]
    for write in writes {
      switch await write.result {
      case .success(let user): stored.insert(user.id)
      case .failure(let error): #expect(error as? UserError == .overloaded(retryAfter: .seconds(1)))
      }
    }
    #expect(stored.count > 10)
    var listing = try await UserListing(repository: repository, after: nil, pageSize: 100)
    #expect(try await listing.nextPage().map { Set($0.map(\.id)) } == stored)
    try await other.close()
    try await repository.close()
  }

  @Test("closing completes the accepted writes, and refuses later ones", arguments: Engine.durable)
  func closing(engine: Engine) async throws {
    let accepted = 20
    // A write beyond the limit is then refused at once, and its error shows whether the store is closing.
    let repository = try await fixture.open(engine, limits: WriteLimits(waitingRows: accepted))
    let other = try await fixture.other(engine)
    try await other.holdWrites(of: repository)
    let first = Task { try await repository.create(.sample(accepted)) }
    try await eventually("the writer has taken the first write") {
      repository.isWriting && repository.waitingWrites == 0
    }
    let writes = (0..<accepted).map { number in Task { try await repository.create(.sample(number)) } }
    try await eventually("the other writes wait") { repository.waitingWrites == accepted }

    let closing = Task { try await repository.close() }
    try await eventually("the store is closing") {
      await #expect(throws: UserError.self) { try await repository.create(.sample(1_000)) } == .shuttingDown
    }
    try await other.releaseWrites()
    try await other.close()
    try await closing.value
    var stored: Set<UserID> = [try await first.value.id]
    for write in writes { stored.insert(try await write.value.id) }
    #expect(stored.count == accepted + 1)
    let reopened = try await fixture.open(engine)
    var listing = try await UserListing(repository: reopened, after: nil, pageSize: 1_000)
    #expect(Set(try await listing.nextPage()?.map(\.id) ?? []) == stored)
    try await reopened.close()
  }

  @Test("a secret is created once per database and stays", arguments: Engine.durable)
  func secrets(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let first = try await repository.secret("one", length: 32)
    #expect(first.count == 32)
    #expect(try await repository.secret("one", length: 32) == first)
    #expect(try await repository.secret("two", length: 32) != first)
    try await repository.close()
    let reopened = try await fixture.open(engine)
    #expect(try await reopened.secret("one", length: 32) == first)
    try await reopened.close()
  }

  @Test("ids ascend across a restart, even if the clock has stepped back", arguments: Engine.durable)
  func clockStepsBackAcrossRestart(engine: Engine) async throws {
    let before = try await fixture.open(engine)
    let first = try await before.create(.sample(1))
    try await before.close()
    clock.advance(by: .seconds(-1_000))
    let after = try await fixture.open(engine)
    let second = try await after.create(.sample(2))
    #expect(second.id > first.id)
    // As the id says, so that the order of creation is that of the times.
    #expect(second.createdAt == UserPlace.time(of: second.id))
    try await after.close()
  }
}
