import Testing
import UserDomain

@testable import UserStorePostgres

/// Tests in which order a service learns of revocations: of its own as they are committed, of all by their notes.
@Suite struct RevocationFeedTests {
  private let user = UserID(high: 1, low: 1)
  private let time = Timestamp(microsecondsSinceEpoch: 1_764_000_000_000_000)

  private func begins(_ number: Int64, of user: UserID? = nil) -> RevocationList.Event {
    .epochBegan(
      user ?? self.user, RevocationList.Epoch(number: number, beganAt: time, isUserActive: true))
  }

  private func contents(_ events: [RevocationList.Event]) -> RevocationList.Contents {
    var contents = RevocationList.Contents()
    contents.apply(events)
    return contents
  }

  private func isEnded(_ session: SessionID, in feed: RevocationFeed) -> Bool {
    feed.list.isRevoked(
      AccessTokenClaims(
        principal: Principal(subject: "\(user)", scopes: []), issuedAt: time, expiresAt: time,
        session: session, epoch: feed.list.epoch(of: user)))
  }

  @Test("an own commit counts at once, also while the notes of earlier ones are read")
  func ownIsLater() {
    let feed = RevocationFeed()
    feed.committed([begins(5)], at: 5)
    #expect(feed.list.epoch(of: user) == 5)
    feed.read([begins(3)], through: 3)
    #expect(feed.list.epoch(of: user) == 5)
    feed.loaded(contents([begins(4)]), at: 4, since: 0)
    #expect(feed.list.epoch(of: user) == 5)
    feed.read([begins(5), begins(6)], through: 6)
    #expect(feed.list.epoch(of: user) == 6)
    #expect(feed.revision == 6)
  }

  @Test("an own commit that comes after the notes of later ones does not undo them, but its sessions end")
  func ownIsLate() {
    let feed = RevocationFeed()
    feed.read([begins(5), begins(6)], through: 6)
    let session = SessionID.random()
    feed.committed([begins(5), .sessionEnded(session, until: time + .seconds(1_000_000_000))], at: 5)
    #expect(feed.list.epoch(of: user) == 6)
    #expect(isEnded(session, in: feed))
  }

  @Test("a database that was replaced by an older one has the epochs that are stored in it")
  func replaced() {
    let feed = RevocationFeed()
    feed.read([], through: 10)
    feed.committed([begins(7)], at: 11)
    feed.loaded(contents([begins(2)]), at: 4, since: feed.mark)
    #expect(feed.revision == 4)
    #expect(feed.list.epoch(of: user) == 2)
    feed.read([begins(3)], through: 5)
    #expect(feed.list.epoch(of: user) == 3)
  }

  @Test(
    "whatever the order of own commits and notes, no epoch goes back, and the last ones are known",
    arguments: 0..<50)
  func randomOrders(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let feed = RevocationFeed()
    let users = (1...3).map { UserID(high: 1, low: $0) }
    // Each revision begins an epoch of a user, or ends a session; some are own.
    var epochs: [UserID: Int64] = [:]
    var log: [(event: RevocationList.Event, isOwn: Bool)] = []
    var sessions: [SessionID] = []
    for _ in 0..<200 {
      let isOwn = Bool.random(using: &random)
      if Int.random(in: 0..<4, using: &random) == 0 {
        sessions.append(.random())
        log.append((.sessionEnded(sessions[sessions.count - 1], until: .now + .seconds(1_000)), isOwn))
      } else if let user = users.randomElement(using: &random) {
        epochs[user, default: 0] += 1
        log.append((begins(epochs[user, default: 0], of: user), isOwn))
      }
    }
    func event(_ revision: Int) -> RevocationList.Event { log[revision - 1].event }
    var own = (1...log.count).filter { log[$0 - 1].isOwn }
    var last: [UserID: Int64] = [:]
    while Int(feed.revision) < log.count || !own.isEmpty {
      // Notes exist of what is committed: all before the first own commit that this service has not heard of, and more.
      let read = Int(feed.revision)
      switch Int.random(in: 0..<5, using: &random) {
      case 0 where read < log.count:
        let end = Int.random(in: (read + 1)...min(log.count, read + 20), using: &random)
        feed.read((read + 1...end).map(event), through: Int64(end))
      case 1:
        var stored: [UserID: RevocationList.Event] = [:]
        for revision in (1...max(read, 1)).prefix(read) {
          if case .epochBegan(let user, _) = event(revision) { stored[user] = event(revision) }
        }
        feed.loaded(contents(Array(stored.values)), at: Int64(read), since: 0)
      default:
        if let next = own.first {
          own.removeFirst()
          feed.committed([event(next)], at: Int64(next))
        }
      }
      for user in users {
        let epoch = feed.list.epoch(of: user)
        #expect(epoch >= last[user, default: 0])
        last[user] = epoch
      }
    }
    for user in users { #expect(feed.list.epoch(of: user) == epochs[user, default: 0]) }
    for session in sessions { #expect(isEnded(session, in: feed)) }
  }
}
