import Synchronization
import TestSupport
import Testing
import UserDomain
import UserStore

/// Tests that nothing is stored under an authority that is no longer valid, whenever it ended.
@Suite(.tags(.io), .fewAtOnce, .timeLimit(.minutes(10))) struct WriteAuthorityTests {
  /// A service's token, valid until a test ends it.
  private final class Token: Sendable {
    private let fault = Mutex<TokenFault?>(nil)

    var authority: WriteAuthority {
      WriteAuthority(bearer: nil) { () throws(UserError) in
        if let fault = self.fault.withLock({ $0 }) { throw .unauthenticated(fault) }
      }
    }

    func end(_ fault: TokenFault) { self.fault.withLock { $0 = fault } }
  }

  private let fixture: StoreFixture

  init() throws { fixture = try StoreFixture() }

  private let rows = (0..<500).map { CreateRequest(.sample($0)) }

  @Test("a batch is stored while its token is valid, and no row of it afterwards", arguments: Engine.all)
  func batch(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let token = Token()
    let stored = try await repository.create([CreateRequest(.sample(1_000))], by: token.authority)
    token.end(.untrusted)
    await #expect(throws: UserError.unauthenticated(.untrusted)) {
      try await repository.create(rows, by: token.authority)
    }
    #expect(try await repository.lastPlace() == stored[0].get().user.id)
    try await repository.close()
  }

  @Test(
    "a write whose token becomes invalid while it waits for the database is not done",
    arguments: Engine.durable, [TokenFault.expired, .revoked, .untrusted])
  func waiting(engine: Engine, fault: TokenFault) async throws {
    let repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1_000))
    let token = Token()
    let other = try await fixture.other(engine)
    try await other.holdWrites(of: repository)
    let batch = Task { [repository, rows] in try await repository.create(rows, by: token.authority) }
    try await eventually("the batch is being written") {
      repository.isWriting ? try await other.holdsUpWrite() : false
    }
    let update = Task { [repository] in
      try await repository.update(user.id, UserChanges(status: .inactive), UserWrite(by: token.authority))
    }
    token.end(fault)
    try await other.releaseWrites()
    await #expect(throws: UserError.unauthenticated(fault)) { try await batch.value }
    await #expect(throws: UserError.unauthenticated(fault)) { try await update.value }
    #expect(try await repository.lastPlace() == user.id)
    #expect(try await repository.user(id: user.id)?.status == .active)
    try await other.close()
    try await repository.close()
  }

  @Test(
    "a batch of a user that is made inactive in the same transaction is not stored", arguments: Engine.durable
  )
  func sameTransaction(engine: Engine) async throws {
    let repository = try await fixture.open(engine)
    let user = try await repository.create(.sample(1_000))
    let authority = WriteAuthority(userID: user.id, epoch: 0)
    let other = try await fixture.other(engine)
    try await other.holdWrites(of: repository)
    // The writer has taken this one, so the next two share a transaction.
    let first = Task { [repository] in try await repository.create(.sample(1_001)) }
    try await eventually("the writer has taken the first write") {
      repository.isWriting && repository.waitingWrites == 0
    }
    let end = Task { [repository] in
      try await repository.update(user.id, UserChanges(status: .inactive))
    }
    try await eventually("one write waits") { repository.waitingWrites == 1 }
    let batch = Task { [repository, rows] in try await repository.create(rows, by: authority) }
    try await eventually("two writes wait") { repository.waitingWrites == 2 }
    try await other.releaseWrites()
    let last = try await first.value
    _ = try await end.value
    await #expect(throws: UserError.unauthenticated(.revoked)) { try await batch.value }
    #expect(try await repository.lastPlace() == last.id)
    try await other.close()
    try await repository.close()
  }
}
