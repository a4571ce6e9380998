import NIOPosix
import TestSupport
import Testing
import UserDomain
import UserStore

@testable import UserStorePostgres

/// Tests how services of one database learn what others have revoked.
@Suite(.tags(.io), .fewAtOnce, .timeLimit(.minutes(10))) struct RevocationReaderTests {
  private func open(
    _ address: PostgresAddress, clock: @escaping @Sendable () -> Timestamp = { .now }
  ) async throws -> PostgresUserRepository {
    try await PostgresUserRepository(
      address, schema: .requireCurrent, configuration: .init(), writes: WriteSettings(clock: clock))
  }

  private func isRevoked(
    _ user: UserID = UserID(high: 1, low: 1), session: SessionID? = nil, epoch: Int64 = 0,
    in revocations: RevocationList
  ) -> Bool {
    revocations.isRevoked(
      AccessTokenClaims(
        principal: Principal(subject: "\(user)", scopes: []), issuedAt: .now, expiresAt: .now,
        session: session, epoch: epoch))
  }

  private func session(of user: UserID) -> Session {
    let now = Timestamp.now
    return Session(
      id: .random(), userID: user, tokenHash: [UInt8](repeating: 1, count: 32), rotatedAt: now,
      expiresAt: now + .seconds(1_000), keptUntil: now + .seconds(1_000))
  }

  private func number(_ sql: String, _ handle: LibpqHandle) throws -> Int {
    try #require(Int(try handle.execute(sql).text(0, 0)))
  }

  @Test("a service that starts later knows the ended sessions that have no row", arguments: postgresVersions)
  func laterStart(programs: PostgresPrograms?) async throws {
    let address = try await newDatabase(programs)
    let ours = try await open(address)
    let user = try await ours.create(.sample(1)).id
    let unknown = SessionID.random()
    try await ours.end(unknown, now: .now)
    // The oldest session of too many is deleted.
    let oldest = session(of: user)
    let source = SignInSource.network(PeerNetwork(peer: "ipv4:192.0.2.1:50000"))
    try await ours.create(oldest, epoch: 0, from: source)
    for _ in 0..<SessionPolicy.sessionsPerUser {
      try await ours.create(session(of: user), epoch: 0, from: source)
    }
    // An hour later, other notes may be forgotten.
    let handle = try connect(address)
    _ = try handle.executeAll("UPDATE revocation_events SET kept_until = kept_until - 3600000000 - 1000000")
    _ = try await ours.purge(at: .now)
    let later = try await open(address)
    #expect(isRevoked(user, session: oldest.id, in: later.revocations))
    #expect(isRevoked(user, session: unknown, in: later.revocations))
    try await later.close()
    try await ours.close()
  }

  @Test("the end of a session is noted once, however often it is ended", arguments: postgresVersions)
  func notedOnce(programs: PostgresPrograms?) async throws {
    let address = try await newDatabase(programs)
    let (ours, theirs) = (try await open(address), try await open(address))
    let unknown = SessionID.random()
    let user = try await ours.create(.sample(1)).id
    let known = session(of: user)
    try await ours.create(known, epoch: 0, from: .network(PeerNetwork(peer: "ipv4:192.0.2.1:50000")))
    for repository in [ours, theirs, ours] {
      try await repository.end(unknown, now: .now)
      try await repository.end(known.id, now: .now)
    }
    let handle = try connect(address)
    #expect(try number("SELECT count(*) FROM revocation_events", handle) == 2)
    try await ours.close()
    try await theirs.close()
  }

  @Test(
    "notes are deleted by the server's clock, in portions, and a service that has not read them reads everything",
    arguments: postgresVersions)
  func forgotten(programs: PostgresPrograms?) async throws {
    let address = try await newDatabase(programs)
    let tomorrow: @Sendable () -> Timestamp = { .now + .seconds(2 * 86_400) }
    let (ours, theirs) = (try await open(address), try await open(address, clock: tomorrow))
    let user = try await theirs.create(.sample(1)).id
    _ = try await theirs.update(user, UserChanges(status: .inactive))
    let handle = try connect(address)
    _ = try await theirs.purge(at: .now)
    #expect(try number("SELECT count(*) FROM revocation_events", handle) == 1)
    #expect(try number("SELECT forgotten FROM store_revision", handle) == 0)
    _ = try handle.executeAll(
      """
      UPDATE revocation_events SET kept_until = 0;
      INSERT INTO revocation_events (revision, kind, id, at, kept_until)
      SELECT 1, 2, gen_random_uuid(), 0, 0 FROM generate_series(1, 12000)
      """)
    _ = try await theirs.purge(at: .now)
    #expect(try number("SELECT count(*) FROM revocation_events", handle) == 0)
    #expect(try number("SELECT forgotten FROM store_revision", handle) == 2)
    #expect(!isRevoked(user, in: ours.revocations))
    await ours.inspect()
    #expect(isRevoked(user, in: ours.revocations))
    try await ours.close()
    try await theirs.close()
  }

  @Test(
    "a service whose connections were lost reads everything: the server may lack transactions that it has read",
    arguments: postgresVersions)
  func otherServer(programs: PostgresPrograms?) async throws {
    let address = try await newDatabase(programs)
    let ours = try await open(address)
    let (lost, user) = (try await ours.create(.sample(1)).id, try await ours.create(.sample(2)).id)
    for number in 3..<6 { _ = try await ours.create(.sample(number)) }
    _ = try await ours.update(lost, UserChanges(status: .inactive))
    await ours.inspect()
    #expect(isRevoked(lost, in: ours.revocations))
    // What a standby has that did not get the last commits, and then others: its number is as high again.
    let handle = try connect(address)
    _ = try handle.executeAll(
      """
      DELETE FROM revocation_events; DELETE FROM token_epochs; UPDATE users SET status = 1;
      UPDATE store_revision SET number = 2
      """)
    let theirs = try await open(address)
    _ = try await theirs.update(user, UserChanges(status: .inactive))
    for number in 10..<20 { _ = try await theirs.create(.sample(number)) }
    try await theirs.close()
    _ = try handle.executeAll(
      """
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()
      """)
    try await eventually("the service has read everything") {
      await ours.inspect()
      return isRevoked(user, in: ours.revocations)
    }
    #expect(!isRevoked(lost, in: ours.revocations))
    try await ours.close()
  }

  @Test("everything is read in pages, whatever their size", arguments: postgresVersions)
  func pages(programs: PostgresPrograms?) async throws {
    let address = try await newDatabase(programs)
    let ours = try await open(address)
    var users: [UserID] = []
    for number in 0..<7 {
      users.append(try await ours.create(.sample(number)).id)
      _ = try await ours.update(users[number], UserChanges(status: .inactive))
    }
    let sessions = (0..<6).map { _ in SessionID.random() }
    for session in sessions { try await ours.end(session, now: .now) }
    let connector = PostgresConnector(
      address: address, role: .reading, statements: ReadStatements.all + RevocationStatements.all)
    let readers = PostgresReaders(.singletonMultiThreadedEventLoopGroup, perLoop: 1, limits: .init()) {
      await connector.openInBackground()
    }
    #expect(await readers.start() == nil)
    for size in [1, 2, 3, 6, 7, 8] {
      let feed = RevocationFeed()
      let reader = RevocationReader(
        readers, feed, on: MultiThreadedEventLoopGroup.singleton.next(), limits: .init(), pageSize: size
      ) { await connector.openInBackground() }
      try await reader.load()
      for user in users { #expect(feed.list.epoch(of: user) == 1) }
      for session in sessions { #expect(isRevoked(session: session, in: feed.list)) }
      #expect(!isRevoked(session: .random(), in: feed.list))
      #expect(feed.revision == 20)
    }
    await readers.end()
    try await ours.close()
  }

  @Test(
    "one read serves all callers that catch up, and it begins after their calls", arguments: postgresVersions)
  func catchingUp(programs: PostgresPrograms?) async throws {
    let address = try await newDatabase(programs)
    let (ours, theirs) = (try await open(address), try await open(address))
    for number in 0..<5 {
      let user = try await theirs.create(.sample(number)).id
      _ = try await theirs.update(user, UserChanges(status: .inactive))
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<20 {
          group.addTask {
            await ours.revocationReader.catchUp()
            #expect(isRevoked(user, in: ours.revocations))
          }
        }
      }
    }
    try await ours.close()
    try await theirs.close()
  }
}
