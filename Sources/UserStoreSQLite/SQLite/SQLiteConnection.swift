import Foundation
import GRDB
import GRDBSQLite
import UserDomain
import UserStore

/// An open connection with this project's settings.
///
/// GRDB opens, configures and closes it, prepares its statements and runs migrations. The hot statements are stepped
/// directly (`PreparedStatement`). SQLite runs in its multi-thread mode (sqlite.org/threadsafe.html): any thread may
/// use the connection, one at a time. The owner of the connection ensures that.
final class SQLiteConnection {
  /// The purpose of a connection.
  enum Access {
    /// Reads and writes; creates a missing file.
    case create
    /// Reads and writes an existing file.
    case readWrite
    /// Only reads.
    case readOnly
    /// Reads a database as it is, without changing its settings.
    case inspect
  }

  /// The settings of SQLite that correctness does not depend on.
  struct Settings: Sendable {
    /// The maximum wait for another process's lock.
    var busyTimeout: Duration = .seconds(5)
    /// The size of the page cache in bytes.
    var cacheSize = 4 << 20
    /// The size in bytes that the WAL file keeps after a checkpoint.
    var journalSizeLimit = 64 << 20
    /// The maximum number of pages of the database; nil for SQLite's own limit. Lets tests fill a disk.
    var maximumPageCount: Int?
  }

  /// The maximum size of the page cache in bytes, except while ``setCacheSize(_:)`` has changed it.
  let cacheSize: Int
  private let queue: DatabaseQueue
  private let connection: OpaquePointer
  private let hasUTF8: Bool
  private let busyTimeout: Duration
  /// The open files, to detect that they have moved; nil for a database in memory.
  private(set) var files: DatabaseFiles?
  private let walPages = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

  /// Opens `location`.
  ///
  /// - Throws: the failure of any step, after closing what was opened.
  init(_ location: DatabaseLocation, _ access: Access, settings: Settings = Settings()) throws(StoreError) {
    busyTimeout = settings.busyTimeout
    cacheSize = settings.cacheSize
    _ = SQLiteLibrary.isConfigured
    var configuration = Configuration()
    configuration.readonly = access == .readOnly
    // Hot statements begin and end transactions, and roll back those that a failure has left open. GRDB must not end
    // the process because of one.
    configuration.allowsUnsafeTransactions = true
    // GRDB sets it first, so that every later step waits for locks.
    configuration.busyMode = .timeout(settings.busyTimeout / .seconds(1))
    configuration.prepareDatabase { database in
      try Self.configure(database, at: location, access, settings)
    }
    do {
      switch location {
      case .inMemory:
        queue = try DatabaseQueue(configuration: configuration)
      case .file(let path):
        var files = DatabaseFiles(path)
        try files.prepare(mayCreate: access == .create)
        let created = files.missingCompanions
        queue = try Self.open(files, access, configuration)
        if access == .create || access == .readWrite { DatabaseFiles.protect(created) }
        files.noteOpened()
        self.files = files
      }
      (connection, hasUTF8) = try queue.unsafeRead { database in
        guard let handle = database.sqliteConnection else { throw DatabaseError(resultCode: .SQLITE_MISUSE) }
        return (handle, try String.fetchOne(database, sql: "PRAGMA encoding") == "UTF-8")
      }
    } catch {
      walPages.deallocate()
      throw StoreError(error, at: location)
    }
    walPages.initialize(to: 0)
    if access == .create || access == .readWrite { countWALPages() }
  }

  deinit {
    walPages.deallocate()
  }

  private static func configure(
    _ database: Database, at location: DatabaseLocation, _ access: Access, _ settings: Settings
  ) throws {
    // GRDB's hooks serve its transaction observers, which are not used here. They require GRDB's own queue, which the
    // hot statements bypass.
    sqlite3_commit_hook(database.sqliteConnection, nil, nil)
    sqlite3_rollback_hook(database.sqliteConnection, nil, nil)
    try database.execute(sql: "PRAGMA cache_size = \(-settings.cacheSize / 1_024)")
    if let pages = settings.maximumPageCount {
      try database.execute(sql: "PRAGMA max_page_count = \(pages)")
    }
    guard access == .create || access == .readWrite else { return }
    // SQLite silently opens a file that it may not write as read-only (sqlite.org/c3ref/open.html).
    guard sqlite3_db_readonly(database.sqliteConnection, "main") == 0 else {
      throw DatabaseError(resultCode: .SQLITE_READONLY)
    }
    // Another program's file keeps its journal mode.
    try SchemaHistory.checkOwner(of: database, at: location)
    // An acknowledged write must survive a power cut: in WAL mode only FULL syncs at every commit
    // (sqlite.org/wal.html).
    try database.execute(sql: "PRAGMA synchronous = FULL")
    // Purged users must be gone from the file (sqlite.org/pragma.html#pragma_secure_delete).
    try database.execute(sql: "PRAGMA secure_delete = ON")
    try database.execute(sql: "PRAGMA journal_size_limit = \(settings.journalSizeLimit)")
    // An empty file gets its first table with a rollback journal, so that it is at every moment either empty or ours.
    if try Int.fetchOne(database, sql: "PRAGMA page_count") != 0 {
      try enterWAL(database, timeout: settings.busyTimeout)
    }
  }

  /// Opens the files. A read-only database without a log is opened without `-wal` and `-shm`.
  private static func open(
    _ files: DatabaseFiles, _ access: Access, _ configuration: Configuration
  ) throws -> DatabaseQueue {
    do {
      return try DatabaseQueue(path: files.sqlitePath, configuration: configuration)
    } catch let error as DatabaseError
      where access == .inspect && [.SQLITE_CANTOPEN, .SQLITE_READONLY].contains(error.resultCode)
    {
      guard !files.hasLog else { throw StoreError.unreadableLog(path: files.path) }
      guard let uri = files.immutableURI else { throw error }
      var configuration = configuration
      configuration.readonly = true
      return try DatabaseQueue(path: uri, configuration: configuration)
    }
  }

  /// Turns write-ahead logging on, if it is off.
  func useWAL() throws {
    try withDatabase { try Self.enterWAL($0, timeout: busyTimeout) }
    files?.noteOpened()
  }

  /// Turns write-ahead logging on, with a ``BufferedLog`` and an ``ErasingFile``; a database in memory keeps its own journal mode.
  ///
  /// SQLite does not call its busy handler while it changes the journal mode, so two processes creating the same
  /// database would fail each other. This method waits instead.
  private static func enterWAL(_ database: Database, timeout: Duration) throws {
    let deadline = ContinuousClock.now + timeout
    while true {
      do {
        let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
        if mode == "wal", let connection = database.sqliteConnection {
          BufferedLog.install(on: connection)
          ErasingFile.install(on: connection)
        }
        return
      } catch let error as DatabaseError
        where error.resultCode == .SQLITE_BUSY && ContinuousClock.now < deadline
      {
        Thread.sleep(forTimeInterval: 0.005)
      }
    }
  }

  /// Runs `body` with GRDB's view of the connection.
  func withDatabase<Value>(_ body: (Database) throws -> Value) rethrows -> Value {
    try queue.writeWithoutTransaction(body)
  }

  /// Compiles `sql` for repeated use.
  func prepare(_ sql: String) throws(DatabaseError) -> PreparedStatement {
    do {
      return try queue.unsafeRead { database in
        PreparedStatement(try database.makeStatement(sql: sql), of: connection, hasUTF8: hasUTF8)
      }
    } catch let error as DatabaseError {
      throw error
    } catch {
      throw DatabaseError(resultCode: .SQLITE_ERROR, message: "\(error)")
    }
  }

  /// Changes the maximum size of the page cache. A smaller one is emptied as far as needed.
  func setCacheSize(_ bytes: Int) {
    // The PRAGMA cannot fail; it does not touch the file (sqlite.org/pragma.html#pragma_cache_size).
    sqlite3_exec(connection, "PRAGMA cache_size = \(-bytes / 1_024)", nil, nil, nil)
  }

  /// Releases the page cache, which later statements fill again (sqlite.org/c3ref/db_release_memory.html).
  func releaseMemory() { sqlite3_db_release_memory(connection) }

  /// Whether the pages of a commit are written to the log together. For tests.
  var hasBufferedLog: Bool { BufferedLog.isInstalled(on: connection) }

  /// The bytes of the page cache, for tests (sqlite.org/c3ref/c_dbstatus_options.html).
  var cachedBytes: Int {
    var (current, highest): (Int32, Int32) = (0, 0)
    // SQLITE_ERROR only for an unknown option.
    sqlite3_db_status(connection, SQLITE_DBSTATUS_CACHE_USED, &current, &highest, 0)
    return Int(current)
  }

  /// Whether no transaction is open. After some failures SQLite itself rolls a transaction back
  /// (sqlite.org/c3ref/get_autocommit.html).
  var isInAutocommit: Bool { sqlite3_get_autocommit(connection) != 0 }

  /// Records the log's length at each commit. This replaces SQLite's automatic checkpoint, which would run inside the
  /// commit (sqlite.org/c3ref/wal_hook.html).
  private func countWALPages() {
    sqlite3_wal_hook(
      connection,
      { context, _, _, pages in
        context?.storeBytes(of: pages, as: Int32.self)
        return SQLITE_OK
      }, walPages)
  }

  /// The number of pages in the write-ahead log since its last reuse, as of this connection's last commit.
  var pagesInWAL: Int { Int(walPages.pointee) }

  /// The treatment of readers by a checkpoint (sqlite.org/c3ref/wal_checkpoint_v2.html).
  enum CheckpointMode {
    /// Moves the pages that no reader needs, without waiting.
    case passive
    /// Moves everything and empties the log file, unless readers stay longer than the busy timeout.
    case truncate
  }

  /// Moves the write-ahead log into the database file. Returns whether readers have not kept it from doing so.
  @discardableResult
  func checkpoint(_ mode: CheckpointMode) throws(DatabaseError) -> Bool {
    let mode = mode == .passive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE
    let code = sqlite3_wal_checkpoint_v2(connection, nil, mode, nil, nil)
    guard code == SQLITE_OK || code == SQLITE_BUSY else {
      throw DatabaseError(
        resultCode: ResultCode(rawValue: code), message: String(cString: sqlite3_errmsg(connection)))
    }
    return code == SQLITE_OK
  }

  /// Moves the log into the database file and empties it, unless that had to wait for readers. Returns whether it is
  /// empty.
  func emptyLog() throws(DatabaseError) -> Bool {
    sqlite3_busy_timeout(connection, 0)
    defer { sqlite3_busy_timeout(connection, Int32(clamping: Int(busyTimeout / .milliseconds(1)))) }
    return try checkpoint(.truncate)
  }

  /// Whether SQLite's own check finds that the path no longer leads to the open file
  /// (sqlite.org/c3ref/c_fcntl_begin_atomic_write.html, SQLITE_FCNTL_HAS_MOVED).
  var hasMoved: Bool {
    var hasMoved: Int32 = 0
    // SQLITE_NOTFOUND, from a VFS that cannot tell, leaves it at 0.
    sqlite3_file_control(connection, "main", SQLITE_FCNTL_HAS_MOVED, &hasMoved)
    return hasMoved != 0
  }

  /// Records the open files.
  ///
  /// - Throws: `SQLITE_READONLY_DBMOVED` if the path has changed since SQLite opened it.
  func noteFiles() throws(DatabaseError) {
    files?.noteOpened()
    if hasMoved {
      throw DatabaseError(
        resultCode: .SQLITE_READONLY_DBMOVED, message: "the file was replaced while it was opened")
    }
  }

  /// Closes the connection. Its statements must be gone.
  func close() throws {
    if hasMoved || files?.movedFile != nil {
      // The last connection deletes -wal and -shm by their names, which now belong to another database.
      var keepsLog: Int32 = 1
      sqlite3_file_control(connection, "main", SQLITE_FCNTL_PERSIST_WAL, &keepsLog)
    }
    try queue.close()
  }
}
