import Dispatch
import Foundation
import GRDB
import Primitives
import Synchronization
public import UserDomain
public import UserStore

/// Users in one SQLite file, or in memory.
///
/// Reads run inline on the calling thread, on a connection from a pool. Writes go to the one writer. It commits
/// concurrent writes in one transaction (group commit), and responds after the commit is durable: WAL with
/// `synchronous=FULL`. A database in memory has one connection, shared by readers and the writer.
///
/// The caller that opens a repository closes it with ``close()``.
public final class SQLiteUserRepository: UserRepository, ImmediateUserReads {
  /// The treatment of unapplied migrations on opening.
  public enum SchemaPolicy: Hashable, Sendable {
    /// Applies them, and creates a missing database.
    ///
    /// Refuses with `StoreError.withoutTables` a file that has content but none of our tables: it is probably a copy
    /// without its log. `SQLiteMigrator.up()` makes an empty database of it.
    case migrate
    /// Refuses with `StoreError.pending`, or `.missing`.
    case requireCurrent
  }

  /// The resources of a repository.
  public struct Configuration: Hashable, Sendable {
    /// The maximum number of concurrent reading connections; by default four per core. They are opened on demand.
    public var readers = 4 * ProcessInfo.processInfo.activeProcessorCount
    /// The maximum wait for another process's lock, 5 s by default.
    public var busyTimeout: Duration = .seconds(5)
    /// The maximum page cache of each reading connection in bytes, 2 MiB by default: the inner pages of millions of users.
    public var readerCacheSize = 2 << 20
    /// The maximum page cache of the writing connection in bytes, 4 MiB by default: a thousand pages.
    public var writerCacheSize = 4 << 20
    package var writes = WriteLimits()
    /// The pages of the write-ahead log from which a commit is followed by a checkpoint.
    ///
    /// 4,000 are few enough for the first block of the WAL index, which has 4,062 (sqlite.org/walformat.html): a reader
    /// looks a page up in one hash table. With SQLite's own default of 1,000, pages that are written again and again are
    /// moved, and synced, four times as often.
    var pagesBetweenCheckpoints = 4_000
    var maximumPageCount: Int?

    /// Creates the default configuration.
    public init() {}

    var connectionSettings: SQLiteConnection.Settings {
      SQLiteConnection.Settings(
        busyTimeout: busyTimeout, cacheSize: writerCacheSize, maximumPageCount: maximumPageCount)
    }
  }

  /// The access tokens that this database has revoked.
  public let revocations = RevocationList()

  /// The files that existed before opening and that users other than their owner may read or write.
  public let exposedFiles: [String]

  let location: DatabaseLocation
  private let files: DatabaseFiles?
  let readers: ConnectionPool
  let writers: ConnectionPool
  let writer: GroupCommitWriter
  let clock: @Sendable () -> Timestamp
  /// The time in the greatest id, perhaps of a clock that was ahead.
  private let latest: LatestTime
  /// The state of the loaded revocations.
  let stored: Mutex<StoredRevocations.Knowledge>
  let inspectionQueue = DispatchQueue(label: "user-store.inspection", qos: .utility)

  /// Opens the database at `location`, and migrates it as `schema` says.
  ///
  /// - Throws: `StoreError`. Nothing has changed, except by migrations applied before a failing one.
  public convenience init(
    _ location: DatabaseLocation, schema: SchemaPolicy = .migrate,
    configuration: Configuration = Configuration()
  ) throws(StoreError) {
    try self.init(location, schema: schema, configuration: configuration, writes: WriteSettings())
  }

  /// Opens the database with other times and ids of new users than the system's, and other migrations.
  package init(
    _ location: DatabaseLocation, schema: SchemaPolicy, configuration: Configuration, writes: WriteSettings,
    migrations: [Migration] = Migration.embedded
  ) throws(StoreError) {
    let settings = configuration.connectionSettings
    if case .file(let path) = location {
      exposedFiles = DatabaseFiles(path).exposed
    } else {
      exposedFiles = []
    }
    let connection = try SQLiteConnection(
      location, schema == .migrate ? .create : .readWrite, settings: settings)
    let opening = Opening(
      location: location, settings: settings, readerCacheSize: configuration.readerCacheSize,
      schemaVersion: migrations.count)
    let first: UserConnection
    do {
      let schemaMigrator = SchemaMigrator(connection, at: location, migrations: migrations)
      switch schema {
      case .migrate: try schemaMigrator.prepareForService()
      case .requireCurrent: try schemaMigrator.requireCurrent()
      }
      first = try opening.prepare(connection, writes: writes)
      stored = Mutex(StoredRevocations.Knowledge(mark: try opening.load(revocations, from: first)))
    } catch {
      // The failure being reported matters more than a failure to close.
      try? connection.close()
      throw error
    }
    self.location = location
    clock = writes.clock
    latest = writes.latest
    let files = connection.files
    self.files = files
    writers = ConnectionPool(of: first) { () throws(StoreError) in
      try opening.open(.readWrite, files, writes: writes)
    }
    switch location {
    case .inMemory:
      readers = writers
    case .file:
      readers = ConnectionPool(limit: configuration.readers, keepsSnapshots: true) { () throws(StoreError) in
        try opening.open(.readOnly, files, writes: nil)
      }
    }
    writer = GroupCommitWriter(
      connections: writers, readers: readers, revocations: revocations, files: files,
      limits: configuration.writes, pagesBetweenCheckpoints: configuration.pagesBetweenCheckpoints)
  }

  /// Completes the accepted writes, refuses later calls with `UserError.shuttingDown`, moves the write-ahead log into
  /// the database file and closes it.
  ///
  /// If another process reads the log, the log stays, after a wait of at most the busy timeout.
  ///
  /// - Throws: `StoreError.storage` if the log could not be moved, which loses nothing; or if the files were deleted or
  ///   replaced, which loses what was stored since.
  public func close() async throws(StoreError) {
    await writer.close()
    do {
      if readers !== writers { try readers.close() }
      try writers.withConnection { (connection) throws(DatabaseError) in
        connection.endTransaction()
        try connection.connection.checkpoint(.truncate)
        try files?.requireUnmoved()
      }
      try writers.close()
    } catch UserError.shuttingDown {
      // The repository was closed before.
    } catch UserError.storage(let fault) {
      // The failure to checkpoint matters more than a failure to close.
      try? writers.close()
      throw .storage(path: location.description, fault)
    } catch {
      throw StoreError(error, at: location)
    }
  }

  /// Returns the database's secret with this name: `length` random bytes, created on first use.
  ///
  /// - Throws: `UserError.storage`, `.overloaded`, `.cancelled`, `.shuttingDown`.
  public func secret(_ name: String, length: Int) async throws(UserError) -> [UInt8] {
    let offered = SystemRandom.bytes(length)
    return try await writer.write(rows: 1) { (statements) throws(DatabaseError) in
      .success(try statements.secret(name, offered: offered))
    }
  }

  /// The number of writes waiting for a transaction.
  public var waitingWrites: Int { writer.waitingWrites }

  /// Whether a transaction is running or about to begin.
  package var isWriting: Bool { writer.isWriting }

  // MARK: UserRepository

  public func readUser(id: UserID, showsDeleted: Bool, _ body: UserReader) throws(UserError) -> Bool {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.reads.readUser(id: id, showsDeleted: showsDeleted, body)
    }
  }

  public func readUser(
    email: EmailAddress, showsDeleted: Bool, _ body: UserReader
  ) throws(UserError) -> Bool {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.reads.readUser(emailKey: email.uniquenessKey, showsDeleted: showsDeleted, body)
    }
  }

  public func credential(email: EmailAddress) throws(UserError) -> Credential? {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.reads.credential(emailKey: email.uniquenessKey)
    }
  }

  public func lastPlace() throws(UserError) -> UserID? {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.reads.lastPlace(upTo: latestPlace)
    }
  }

  /// A place after those of all users, within days: other ids that are greater are not looked at.
  private var latestPlace: UserID { UserPlace.last(at: max(clock(), latest.value) + .seconds(86_400)) }

  public func readUsers(
    _ query: UserQuery, after: ListingPosition?, through: UserID, limit: Int, _ body: UserReader
  ) throws(UserError) -> UsersRead {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.reads.readUsers(query, after: after, through: through, limit: limit, body)
    }
  }

  public func create(_ user: NewUser) async throws(UserError) -> User {
    try await writer.write(rows: 1) { (statements) throws(DatabaseError) in
      try statements.create(user)
    }
  }

  public func create(
    _ requests: [CreateRequest], by authority: WriteAuthority?
  ) async throws(UserError) -> [Result<Creation, UserError>] {
    if requests.isEmpty { return [] }
    return try await writer.write(rows: requests.count) { (statements) throws(DatabaseError) in
      if let authority, let fault = try statements.sessions.fault(of: authority) { return .failure(fault) }
      var outcomes: [Result<Creation, UserError>] = []
      outcomes.reserveCapacity(requests.count)
      for request in requests { outcomes.append(try statements.create(request)) }
      return .success(outcomes)
    }
  }

  public func importUsers(
    _ users: ArraySlice<ForeignUser>, by authority: WriteAuthority?
  ) async throws(UserError) -> [Result<UserImport, UserError>] {
    if users.isEmpty { return [] }
    let isLarge = users.count >= Self.largeImport
    return try await writer.write(rows: users.count, isImport: isLarge) {
      [writer] (statements) throws(DatabaseError) in
      if let authority, let fault = try statements.sessions.fault(of: authority) { return .failure(fault) }
      var outcomes: [Result<UserImport, UserError>] = []
      outcomes.reserveCapacity(users.count)
      for user in users {
        let isPause = !outcomes.isEmpty && outcomes.count.isMultiple(of: Self.importPart)
        if isPause, writer.hasOtherWrites { break }
        outcomes.append(try statements.importUser(user))
      }
      return .success(outcomes)
    }
  }

  /// The number of users in a batch from which more are expected.
  private static let largeImport = 500
  /// The number of users after which an import looks whether other writes wait.
  private static let importPart = 512

  public func passwordHash(of user: UserID) throws(UserError) -> PasswordHash? {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.reads.passwordHash(of: user)
    }
  }

  public func update(
    _ id: UserID, _ changes: UserChanges, _ write: UserWrite
  ) async throws(UserError) -> User {
    try await writer.write(rows: 1) { (statements) throws(DatabaseError) in
      try statements.changes.update(id, changes, write)
    }
  }

  public func delete(
    _ id: UserID, _ removal: UserRemoval, _ write: UserWrite
  ) async throws(UserError) -> User {
    try await writer.write(rows: 1) { (statements) throws(DatabaseError) in
      try statements.changes.delete(id, removal, write)
    }
  }

  public func undelete(_ id: UserID, _ write: UserWrite) async throws(UserError) -> User {
    try await writer.write(rows: 1) { (statements) throws(DatabaseError) in
      try statements.changes.undelete(id, write)
    }
  }
}
