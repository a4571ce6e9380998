import TestSupport
import Testing
import UserDomain
import UserStore
import UserStorePostgres
import UserStoreSQLite

/// The database of a test, and the repositories that the test opens on it. It outlives them.
///
/// Repositories are patient: they wait for another connection's lock until the test releases it, as long as a slow machine
/// may need.
actor StoreFixture {
  private let clock: ManualClock?
  private let directory: TemporaryDirectory
  private var uri: String?

  /// Creates a fixture without a database.
  ///
  /// - Parameter clock: that of the repositories; nil for the system's.
  init(clock: ManualClock? = nil) throws {
    self.clock = clock
    directory = try TemporaryDirectory()
  }

  private var path: String { directory.path("users.db") }

  private var writes: WriteSettings {
    clock.map { clock in WriteSettings(clock: { clock.now }) } ?? WriteSettings()
  }

  private static let patience: Duration = .seconds(600)

  /// Opens the database of an engine, which the first call creates. In memory, each call creates one.
  ///
  /// - Parameter limits: those of the queue of writes.
  func open(_ engine: Engine, limits: WriteLimits = WriteLimits()) async throws -> any ServiceStore {
    switch engine {
    case .memory, .file:
      var configuration = SQLiteUserRepository.Configuration()
      (configuration.busyTimeout, configuration.writes) = (Self.patience, limits)
      return try SQLiteUserRepository(
        engine == .memory ? .inMemory : .file(path), schema: .migrate, configuration: configuration,
        writes: writes)
    case .postgres(let programs):
      var configuration = PostgresUserRepository.Configuration()
      (configuration.busyTimeout, configuration.writes) = (Self.patience, limits)
      return try await PostgresUserRepository(
        address(programs), schema: .migrate, configuration: configuration, writes: writes)
    }
  }

  /// Returns the database of an engine as an operator's commands reach it.
  func revocations(_ engine: Engine) async throws -> any TokenRevocations {
    switch engine {
    case .memory, .file: SQLiteTokenRevocations(path: path)
    case .postgres(let programs): PostgresTokenRevocations(try await address(programs))
    }
  }

  /// Returns the migrator of the database of an engine.
  func migrator(_ engine: Engine) async throws -> any StoreMigrator {
    switch engine {
    case .memory, .file: SQLiteMigrator(path: path)
    case .postgres(let programs): PostgresMigrator(try await address(programs))
    }
  }

  /// Connects to the database of an engine beside its repositories.
  func other(_ engine: Engine) async throws -> OtherSession {
    switch engine {
    case .memory, .file: .file(try OtherConnection(path))
    case .postgres(let programs): .postgres(try await PostgresSession(uri(programs)))
    }
  }

  private func address(_ programs: PostgresPrograms?) async throws -> PostgresAddress {
    try PostgresAddress(await uri(programs))
  }

  private func uri(_ programs: PostgresPrograms?) async throws -> String {
    guard let programs else { throw PostgresPrograms.Missing() }
    if let uri { return uri }
    let new = try await PostgresServer.shared(programs).database()
    uri = new
    return new
  }
}

/// A connection to a database outside of the repositories, like another process's.
enum OtherSession {
  case file(OtherConnection)
  case postgres(PostgresSession)

  /// Keeps every repository from writing until ``releaseWrites()``; first waits until `repository` writes nothing.
  func holdWrites(of repository: any ServiceStore) async throws {
    try await eventually("the writer is idle") { !repository.isWriting }
    switch self {
    case .file(let connection): try await connection.execute("BEGIN IMMEDIATE")
    case .postgres(let session): try await session.execute("BEGIN; SELECT 1 FROM store_revision FOR UPDATE")
    }
  }

  func releaseWrites() async throws {
    switch self {
    case .file(let connection): try await connection.execute("ROLLBACK")
    case .postgres(let session): try await session.execute("ROLLBACK")
    }
  }

  /// Returns whether a write waits for ``releaseWrites()`` in the server. SQLite's writer decides nothing before that.
  func holdsUpWrite() async throws -> Bool {
    guard case .postgres(let session) = self else { return true }
    let waiting = try await session.execute(
      "SELECT 1 FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid")
    return !waiting.isEmpty
  }

  /// Returns the number of rows of a table.
  func count(_ table: String) async throws -> Int? {
    let sql = "SELECT count(*) FROM \(table)"
    switch self {
    case .file(let connection): return try await connection.firstInteger(sql)
    case .postgres(let session): return try await session.execute(sql).first?.first?.flatMap { Int($0) }
    }
  }

  func close() async throws {
    switch self {
    case .file(let connection): try connection.close()
    case .postgres(let session): await session.close()
    }
  }
}

extension ServiceStore {
  /// Whether a transaction is running or about to begin.
  var isWriting: Bool {
    switch self {
    case let store as SQLiteUserRepository: store.isWriting
    case let store as PostgresUserRepository: store.isWriting
    default: false
    }
  }
}
