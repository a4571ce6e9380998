import Testing
import UserDomain
import UserStore

@testable import UserStorePostgres

/// Tests which writes share a transaction.
@Suite struct PostgresWriteTests {
  private func write<Value>(_ operation: WriteOperation<Value>) -> PostgresWrite {
    PostgresWrite(rows: 1, isImport: false, operation) { _ in }
  }

  private func write(reads: Set<WriteKey> = [], changes: Set<WriteKey> = [], isAlone: Bool = false)
    -> PostgresWrite
  {
    write(
      WriteOperation<Void>(
        dependencies: reads, changes: changes, isAlone: isAlone, decide: { _, _ in .done(()) }))
  }

  /// The sizes of the transactions in which the queue hands out writes.
  private func sizes(_ writes: [PostgresWrite]) -> [Int] {
    var queue = queue(writes)
    var sizes: [Int] = []
    while case let group = queue.nextGroup(), !group.isEmpty { sizes.append(group.count) }
    return sizes
  }

  @Test(
    "a write that reads what an earlier one changes waits for the next transaction, and one that changes it does not"
  )
  func dependencies() {
    let (one, two) = (WriteKey.user(UserID(high: 1, low: 1)), WriteKey.user(UserID(high: 1, low: 2)))
    #expect(sizes([]) == [])
    #expect(sizes([write(changes: [one]), write(reads: [one])]) == [1, 1])
    #expect(sizes([write(changes: [one]), write(changes: [one])]) == [2])
    #expect(sizes([write(reads: [one]), write(changes: [one])]) == [2])
    #expect(sizes([write(changes: [one]), write(reads: [two]), write(reads: [one, two])]) == [2, 1])
    #expect(sizes([write(isAlone: true), write(), write(), write(isAlone: true), write()]) == [1, 3, 1])
  }

  @Test("writes about one address or user that depend on each other do not share a transaction")
  func operations() {
    let (user, other) = (UserID(high: 1, low: 1), UserID(high: 1, low: 2))
    let new = NewUser(email: EmailAddress(trusted: "Ada@example.com"), name: UserName(trusted: ""))
    let create = write(WriteOperation<User>.create(new))
    let batch = write(WriteOperation.create([CreateRequest(new)], by: nil))
    var changes = UserChanges()
    changes.email = EmailAddress(trusted: "ADA@example.com")
    let take = write(WriteOperation.update(user, changes, UserWrite()))
    let takeToo = write(WriteOperation.update(other, changes, UserWrite()))
    let rename = write(WriteOperation.update(user, UserChanges(name: UserName(trusted: "x")), UserWrite()))
    let byUser = write(
      WriteOperation.update(
        other, UserChanges(), UserWrite(by: WriteAuthority(userID: user, epoch: 0))))
    for pair in [
      [create, take], [batch, take], [take, create], [take, batch], [take, takeToo], [take, rename],
      [rename, byUser],
    ] {
      #expect(sizes(pair) == [1, 1])
    }
    #expect(sizes([create, create, batch, rename]) == [4])
  }

  private func queue(_ writes: [PostgresWrite]) -> WriteQueue<PostgresWrite> {
    var queue = WriteQueue<PostgresWrite>(limits: WriteLimits())
    for write in writes { _ = queue.submitted(write) }
    return queue
  }

  @Test("of writes about one session one joins a transaction, ends all do, and other writes do not wait")
  func sessions() throws {
    let (session, user) = (SessionID.random(), UserID(high: 1, low: 1))
    let end = WriteOperation<Void>.end(session, now: .now)
    let refresh = WriteOperation<Void>(
      dependencies: [.session(session), .sessionEnd(session)], changes: [.session(session)],
      decide: { _, _ in .done(()) })
    let create = WriteOperation<User>.create(
      NewUser(email: EmailAddress(trusted: "a@example.com"), name: UserName(trusted: "")))
    var ends = queue((0..<300).map { _ in write(end) })
    #expect(ends.nextGroup().count == 300)
    var mixed = queue(
      [write(refresh), write(refresh), write(end), write(end), write(refresh), write(create)]
        + [write(changes: [.user(user)])])
    #expect(mixed.nextGroup().count == 3)
    #expect(mixed.nextGroup().count == 1)
    #expect(mixed.nextGroup().count == 2)
    #expect(mixed.nextGroup().count == 1)
    #expect(mixed.nextGroup().isEmpty)
  }

  @Test(
    "what the queue hands out together is independent, and no write overtakes one about the same",
    arguments: 0..<50)
  func randomQueues(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let keys = (1...6).map { WriteKey.user(UserID(high: 1, low: $0)) }
    func some() -> Set<WriteKey> { Set(keys.filter { _ in Int.random(in: 0..<5, using: &random) == 0 }) }
    let writes = (0..<40).map { _ in
      write(reads: some(), changes: some(), isAlone: Int.random(in: 0..<10, using: &random) == 0)
    }
    var queue = queue(writes)
    var order: [ObjectIdentifier: Int] = [:]
    var (groups, first) = (0, 0)
    while case let group = queue.nextGroup(), !group.isEmpty {
      #expect(group.count == 1 || group.allSatisfy { !$0.isAlone })
      for (index, write) in group.enumerated() {
        #expect(group[..<index].allSatisfy { $0.changes.isDisjoint(with: write.dependencies) })
      }
      for write in group { order[ObjectIdentifier(write.queued)] = groups }
      #expect(order[ObjectIdentifier(writes[first].queued)] != nil)
      while first < writes.count, order[ObjectIdentifier(writes[first].queued)] != nil { first += 1 }
      groups += 1
    }
    #expect(order.count == writes.count)
    for (index, later) in writes.enumerated() where !later.isAlone {
      for earlier in writes[..<index] where !earlier.isAlone {
        guard !later.dependencies.isDisjoint(with: earlier.changes) else { continue }
        let places = [earlier, later].map { order[ObjectIdentifier($0.queued), default: -1] }
        #expect(places[0] < places[1])
      }
    }
  }
}
