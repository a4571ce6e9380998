import Dispatch
public import NIOCore
public import NIOPosix
import Primitives
import Synchronization
public import UserDomain
public import UserStore

/// Users in a PostgreSQL database, which several services may share.
///
/// Reads go through a few connections on each event loop; those of one turn of a loop leave in one packet. Writes go through
/// one connection, which commits concurrent ones in one transaction and responds after the commit is durable. The
/// transactions of all services are one after another, by the lock of `store_revision`.
///
/// A lost connection comes back by itself. Until then every call throws `UserError.storage` with
/// `StorageFault.Kind.disconnected`.
///
/// The caller that opens a repository closes it with ``close()``.
public final class PostgresUserRepository: ServiceStore {
  /// The treatment of unapplied migrations on opening.
  public enum SchemaPolicy: Hashable, Sendable {
    /// Applies them.
    case migrate
    /// Refuses with `StoreError.pending`.
    case requireCurrent
  }

  /// The resources of a repository.
  public struct Configuration: Sendable {
    /// The reading connections of each event loop, 2 by default: one for look-ups, and one for pages.
    public var readersPerLoop = 2
    /// How long results may stay out before a connection counts as lost, 10 s by default; for writes 25 s more, the time
    /// limit of their statements.
    public var answerTimeout: Duration = .seconds(10)
    /// The maximum wait of a transaction for those of other services, 5 s by default.
    public var busyTimeout: Duration = .seconds(5)
    /// The maximum wait for another migrator, 60 s by default.
    public var lockTimeout: Duration = .seconds(60)
    package var writes = WriteLimits()

    /// Creates the default configuration.
    public init() {}
  }

  let address: PostgresAddress
  let readers: PostgresReaders
  let writer: PostgresWriter
  let revocationReader: RevocationReader
  private let feed = RevocationFeed()
  private let writing: PostgresConnection
  private let writerLoop: MultiThreadedEventLoopGroup
  /// How many inspections in a row have failed.
  let failedInspections = Atomic(0)
  private let isClosed = Atomic(false)

  /// The access tokens that this database has revoked.
  public var revocations: RevocationList { feed.list }

  /// Opens the database at `address`, and migrates it as `schema` says.
  ///
  /// - Parameter group: the event loops that read, by default those of the process.
  /// - Throws: `StoreError`. Nothing has changed, except by migrations applied before a failing one.
  public convenience init(
    _ address: PostgresAddress, schema: SchemaPolicy = .migrate,
    configuration: Configuration = Configuration(),
    on group: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup
  ) async throws(StoreError) {
    try await self.init(
      address, schema: schema, configuration: configuration, on: group, writes: WriteSettings())
  }

  /// Opens the database with other times and ids of new users than the system's, and other migrations.
  package init(
    _ address: PostgresAddress, schema: SchemaPolicy, configuration: Configuration,
    on group: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup, writes: WriteSettings,
    migrations: [Migration] = Migration.postgres
  ) async throws(StoreError) {
    self.address = address
    try await Self.prepare(address, schema, configuration, migrations)
    var limits = PostgresConnection.Limits()
    limits.answer = configuration.answerTimeout
    let reading = PostgresConnector(
      address: address, role: .reading, statements: ReadStatements.all + RevocationStatements.all,
      schemaVersion: migrations.count)
    readers = PostgresReaders(group, perLoop: configuration.readersPerLoop, limits: limits) {
      await reading.openInBackground()
    }
    writerLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    revocationReader = RevocationReader(readers, feed, on: writerLoop.next(), limits: limits) {
      await reading.openInBackground()
    }
    limits.answer = configuration.answerTimeout + .seconds(25)
    let connector = PostgresConnector(
      address: address, role: .writing(lockTimeout: configuration.busyTimeout),
      statements: WriteStatements.all, schemaVersion: migrations.count)
    writing = PostgresConnection(on: writerLoop.next(), limits: limits) { await connector.openInBackground() }
    writer = PostgresWriter(writing, feed, writes, limits: configuration.writes)
    do throws(PostgresFailure) {
      for failure in [await readers.start(), await writing.start()] { if let failure { throw failure } }
      try await revocationReader.load()
    } catch {
      await end()
      throw StoreError(error, at: address)
    }
  }

  /// Migrates the database or checks that it is, on a thread that may wait.
  private static func prepare(
    _ address: PostgresAddress, _ schema: SchemaPolicy, _ configuration: Configuration,
    _ migrations: [Migration]
  ) async throws(StoreError) {
    let migrator = PostgresMigrator(address, migrations: migrations, lockTimeout: configuration.lockTimeout)
    let outcome = await DispatchQueue.offLoop { () -> Result<Void, StoreError> in
      Result { () throws(StoreError) in
        switch schema {
        case .migrate: try migrator.prepareForService()
        case .requireCurrent: try migrator.requireUsable()
        }
      }
    }
    try outcome.get()
  }

  /// Completes the accepted writes, refuses later calls, and closes the connections.
  public func close() async throws(StoreError) {
    guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    await writer.close()
    await end()
  }

  private func end() async {
    await readers.end()
    await writing.end()
    // Fails only if it was shut down before.
    try? await writerLoop.shutdownGracefully()
  }

  // MARK: Reading

  /// Executes a statement that reads.
  func read(_ command: Command, isLong: Bool = false) async throws(UserError) -> QueryResult {
    if isClosed.load(ordering: .acquiring) { throw .shuttingDown }
    do throws(PostgresFailure) {
      return try await readers.read(command, isLong: isLong)
    } catch {
      throw UserError(error)
    }
  }

  /// Calls `body` with the user in the only row, unless it is deleted and `showsDeleted` is false. Returns whether it was
  /// called.
  private func lendUser(
    in rows: QueryResult, showsDeleted: Bool, _ body: UserReader
  ) throws(UserError) -> Bool {
    guard rows.count > 0 else { return false }
    do throws(PostgresFailure) {
      let user = try rows.userRow(0)
      if user.deletion != nil, !showsDeleted { return false }
      rows.lendUser(0, user, body)
      return true
    } catch {
      throw UserError(error)
    }
  }
}

// MARK: UserRepository

extension PostgresUserRepository {
  public func readUser(
    id: UserID, showsDeleted: Bool, _ body: UserReader
  ) async throws(UserError) -> Bool {
    let rows = try await read(Command(ReadStatements.byID, .id(id)))
    return try lendUser(in: rows, showsDeleted: showsDeleted, body)
  }

  public func readUser(
    email: EmailAddress, showsDeleted: Bool, _ body: UserReader
  ) async throws(UserError) -> Bool {
    let rows = try await read(Command(ReadStatements.byEmail, .text(email.uniquenessKey)))
    return try lendUser(in: rows, showsDeleted: showsDeleted, body)
  }

  public func user(id: UserID) async throws(UserError) -> User? {
    var user: User?
    _ = try await readUser(id: id, showsDeleted: false) { user = User($0, email: $1, name: $2) }
    return user
  }

  public func users(ids: [UserID], showsDeleted: Bool) async throws(UserError) -> [UserID: User] {
    let ids = SQLArray(.uuid, ids.map { .id($0) })
    let rows = try await read(Command(ReadStatements.byIDs, .array(ids)), isLong: true)
    var users: [UserID: User] = [:]
    do throws(PostgresFailure) {
      for row in 0..<rows.count {
        let user = try rows.user(row)
        if showsDeleted || user.deletion == nil { users[user.id] = user }
      }
    } catch {
      throw UserError(error)
    }
    return users
  }

  public func passwordHashes(of users: [UserID]) async throws(UserError) -> [UserID: PasswordHash] {
    let ids = SQLArray(.uuid, users.map { .id($0) })
    let rows = try await read(Command(ReadStatements.passwordHashes, .array(ids)), isLong: true)
    var hashes: [UserID: PasswordHash] = [:]
    for row in 0..<rows.count {
      if let user = rows.id(row, 0) { hashes[user] = PasswordHash(phcString: rows.text(row, 1)) }
    }
    return hashes
  }

  public func credential(email: EmailAddress) async throws(UserError) -> Credential? {
    let rows = try await read(Command(ReadStatements.credential, .text(email.uniquenessKey)))
    guard rows.count > 0 else { return nil }
    do throws(PostgresFailure) {
      let hash = rows.isNull(0, 9) ? nil : PasswordHash(phcString: rows.text(0, 9))
      return Credential(user: try rows.user(0), passwordHash: hash, epoch: rows.integer(0, 10))
    } catch {
      throw UserError(error)
    }
  }

  public func lastPlace() async throws(UserError) -> UserID? {
    let rows = try await read(Command(ReadStatements.lastPlace))
    return rows.count == 0 ? nil : rows.id(0, 0)
  }

  public func readUsers(
    _ query: UserQuery, after: ListingPosition?, through: UserID, limit: Int, _ body: UserReader
  ) async throws(UserError) -> UsersRead {
    guard limit > 0 else { return UsersRead() }
    var page = UserPage(query, after: after, through: through, limit: limit)
    while let command = page.next {
      let rows = try await read(command, isLong: true)
      do throws(PostgresFailure) {
        try page.take(rows, body)
      } catch {
        throw UserError(error)
      }
    }
    return page.read
  }

  public func passwordHash(of user: UserID) async throws(UserError) -> PasswordHash? {
    let rows = try await read(Command(ReadStatements.passwordHash, .id(user)))
    return rows.count == 0 ? nil : PasswordHash(phcString: rows.text(0, 0))
  }

  public func create(_ user: NewUser) async throws(UserError) -> User {
    try await writer.write(.create(user))
  }

  public func create(
    _ requests: [CreateRequest], by authority: WriteAuthority?
  ) async throws(UserError) -> [Result<Creation, UserError>] {
    if requests.isEmpty { return [] }
    return try await writer.write(rows: requests.count, .create(requests, by: authority))
  }

  public func importUsers(
    _ users: ArraySlice<ForeignUser>, by authority: WriteAuthority?
  ) async throws(UserError) -> [Result<UserImport, UserError>] {
    if users.isEmpty { return [] }
    // Other writes get their turn after each part.
    let part = users.prefix(Self.importPart)
    return try await writer.write(
      rows: part.count, isImport: users.count >= Self.largeImport, .importUsers(part, by: authority))
  }

  /// The number of users in a batch from which more are expected.
  private static let largeImport = 500
  /// The number of users of an import that one transaction stores: other writes wait for it for some hundredths of a second.
  private static let importPart = 4_096

  public func update(
    _ id: UserID, _ changes: UserChanges, _ write: UserWrite
  ) async throws(UserError) -> User {
    try await writer.write(.update(id, changes, write))
  }

  public func delete(
    _ id: UserID, _ removal: UserRemoval, _ write: UserWrite
  ) async throws(UserError) -> User {
    try await writer.write(.delete(id, removal, write))
  }

  public func undelete(_ id: UserID, _ write: UserWrite) async throws(UserError) -> User {
    try await writer.write(.undelete(id, write))
  }
}

extension DispatchQueue {
  /// Runs `body` on a thread that may wait.
  static func offLoop<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
      DispatchQueue.global(qos: .userInitiated).async { continuation.resume(returning: body()) }
    }
  }
}

extension PostgresConnector {
  /// Opens a connection in pipeline mode, on a thread that may wait.
  func openInBackground() async -> Result<LibpqHandle, PostgresFailure> {
    await DispatchQueue.offLoop {
      Result { () throws(PostgresFailure) in
        let handle = try open()
        try handle.enterPipelineMode()
        return handle
      }
    }
  }
}
