import Dispatch
import Foundation
import GRDB
import Primitives
import Synchronization
public import UserDomain

/// Users in one SQLite file, or in memory.
///
/// Reads run inline on the calling thread, on a connection out of a pool. Writes go to the one writer, which
/// commits those that arrive together in one transaction (group commit) and answers after the commit is
/// durable: WAL with `synchronous=FULL`. In memory there is one connection, which readers and the writer
/// share.
///
/// Whoever opens a repository closes it with ``close()``.
public final class SQLiteUserRepository: UserRepository {
  /// What opening does about migrations that wait to be applied.
  public enum SchemaPolicy: Hashable, Sendable {
    /// Applies them; makes the database if there is none.
    ///
    /// Refuses with `StoreError.withoutTables` a file that has content but no tables of ours: rather than an old
    /// database it is a copy that lacks its log. `Migrator.up()` makes an empty database of it.
    case migrate
    /// Refuses with `StoreError.pending`, or `.missing`.
    case requireCurrent
  }

  /// How a repository uses the machine.
  public struct Configuration: Hashable, Sendable {
    /// Connections that read at the same time, at most; by default four a core. Opened when they are needed.
    public var readers = 4 * ProcessInfo.processInfo.activeProcessorCount
    /// How long SQLite waits for another process's lock, 5 s by default.
    public var busyTimeout: Duration = .seconds(5)
    /// Bytes of page cache that each connection may come to use, 16 MiB by default.
    public var cacheSize = 16 << 20
    var writes = WriteQueue.Limits()
    var maximumPageCount: Int?

    /// The defaults.
    public init() {}

    var connectionSettings: SQLiteConnection.Settings {
      SQLiteConnection.Settings(
        busyTimeout: busyTimeout, cacheSize: cacheSize, maximumPageCount: maximumPageCount)
    }
  }

  /// The access tokens that this database's commits have ended.
  public let revocations = RevocationList()

  /// Files of the database that existed before it was opened and that others than their owner may read or write.
  public let exposedFiles: [String]

  let location: DatabaseLocation
  private let files: DatabaseFiles?
  let readers: ConnectionPool
  let writers: ConnectionPool
  let writer: GroupCommitWriter
  /// What is known of the stored revocations, and where it is asked whether that is stale.
  let stored: Mutex<StoredRevocations.Knowledge>
  let inspectionQueue = DispatchQueue(label: "user-store.inspection", qos: .utility)

  /// Opens the database at `location`, and migrates it as `schema` says.
  ///
  /// - Throws: `StoreError`, having changed nothing unless a migration before the failing one was applied.
  public convenience init(
    _ location: DatabaseLocation, schema: SchemaPolicy = .migrate,
    configuration: Configuration = Configuration()
  ) throws(StoreError) {
    try self.init(location, schema: schema, configuration: configuration, writes: WriteSettings())
  }

  init(
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
    let opening = Opening(location: location, settings: settings, schemaVersion: migrations.count)
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
      // The failure that is being reported matters more than one of closing.
      try? connection.close()
      throw error
    }
    self.location = location
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
      limits: configuration.writes)
  }

  /// Answers the writes that were accepted, refuses all later calls with `UserError.shuttingDown`, moves the
  /// write-ahead log into the database file and closes it.
  ///
  /// If another process reads the log, it stays beside the file, after a wait of at most the busy timeout.
  ///
  /// - Throws: `StoreError.storage` if the log could not be moved, which loses nothing; or if the files were deleted or
  ///   replaced, so that what was stored since is lost with them.
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
      // Closed before.
    } catch UserError.storage(let fault) {
      // The failure to checkpoint matters more than one of closing.
      try? writers.close()
      throw .storage(path: location.description, fault)
    } catch {
      throw StoreError(error, at: location)
    }
  }

  /// The database's own secret of that name: `length` random bytes, made when it is first asked for.
  ///
  /// - Throws: `UserError.storage`, `.overloaded`, `.cancelled`, `.shuttingDown`.
  public func secret(_ name: String, length: Int) async throws(UserError) -> [UInt8] {
    let offered = SystemRandom.bytes(length)
    return try await writer.write(rows: 1) { (statements) throws(DatabaseError) in
      .success(try statements.secret(name, offered: offered))
    }
  }

  /// Writes that no transaction has taken yet.
  public var waitingWrites: Int { writer.waitingWrites }

  /// Whether a transaction is under way or about to begin.
  var isWriting: Bool { writer.isWriting }

  // MARK: UserRepository

  public func readUser(id: UserID, _ body: UserReader) throws(UserError) -> Bool {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.reads.readUser(id: id, body)
    }
  }

  public func credential(email: EmailAddress) throws(UserError) -> Credential? {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.reads.credential(emailKey: email.uniquenessKey)
    }
  }

  public func newestUserID() throws(UserError) -> UserID? {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.reads.newestUserID()
    }
  }

  public func readUsers(
    after: UserID?, through: UserID, limit: Int, _ body: UserReader
  ) throws(UserError) {
    try readers.withConnection { (connection) throws(DatabaseError) in
      try connection.reads.readUsers(after: after, through: through, limit: limit, body)
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

  public func update(
    _ id: UserID, _ changes: UserChanges, by authority: WriteAuthority?
  ) async throws(UserError) -> User {
    try await writer.write(rows: 1) { (statements) throws(DatabaseError) in
      try statements.update(id, changes, by: authority)
    }
  }
}
