public import UserDomain

/// The reasons why a database cannot be opened or migrated. Each prints as one line for operators.
public enum StoreError: Error, Hashable, Sendable {
  /// No file has this path.
  case missing(path: String)
  /// The operating system refuses to open or create the file.
  case inaccessible(path: String, reason: String)
  /// The file is not an SQLite database.
  case notSQLite(path: String)
  /// The file is the SQLite database of another program.
  case notUserService(path: String, applicationID: Int32)
  /// The database was migrated by a newer program.
  case newer(path: String, version: Int, newestKnown: Int)
  /// An applied migration has other SQL than this version's.
  case edited(path: String, migration: String)
  /// The file is a database without tables that the caller did not create.
  case withoutTables(path: String)
  /// The database is missing or empty, but the write-ahead log beside it has commits.
  case strayLog(path: String)
  /// The log has commits that cannot be read, because `-shm` cannot be written.
  case unreadableLog(path: String)
  /// Another process serves the database; its id is nil if unknown.
  case served(path: String, process: Int32?)
  /// The applied migrations are not a prefix of the known ones.
  case brokenHistory(path: String, missing: Int)
  /// Migrations are not applied, and the caller asked not to apply them.
  case pending(path: String, migrations: [String])
  /// The database cannot be migrated to the requested version.
  case migration(MigrationFault)
  /// The database cannot be copied, or is part of a copy.
  case copy(CopyFault)
  /// SQLite failed in another way.
  case storage(path: String, StorageFault)
}

extension StoreError: CustomStringConvertible {
  /// One line for an operator: what is wrong, and the remedy if known.
  public var description: String {
    switch self {
    case .missing(let path):
      "\(path): no such database; 'user-service migrate up' creates it"
    case .inaccessible(let path, let reason):
      "\(path): \(reason)"
    case .notSQLite(let path):
      "\(path): not an SQLite database; nothing was changed"
    case .notUserService(let path, let applicationID):
      """
      \(path): an SQLite database, but not one of user-service (its application_id is \(applicationID), \
      not \(SchemaHistory.applicationID)); nothing was changed
      """
    case .newer(let path, let version, let newestKnown):
      """
      \(path): the database is at version \(version), but this program knows only versions up to \(newestKnown); \
      use a newer program
      """
    case .edited(let path, let migration):
      """
      \(path): migration \(migration) was applied with different SQL than this version contains; \
      applied migrations must not be edited, so add a new one
      """
    case .withoutTables(let path):
      """
      \(path): a database without tables, perhaps copied without its -wal file; copy it again with \
      'sqlite3 ORIGINAL ".backup COPY"', or make an empty database of it with 'user-service migrate up'
      """
    case .strayLog(let path):
      """
      \(path): missing or empty, but \(path)-wal has commits that belong to it; put the database back beside it, \
      or remove the -wal and -shm files
      """
    case .unreadableLog(let path):
      """
      \(path): its -wal file has commits, which can be read only where the folder can be written; copy the database \
      with its -wal file to such a folder
      """
    case .served(let path, let process):
      """
      \(path): \(process.map { "process \($0)" } ?? "another process") serves this database; stop it first, or give \
      --take-over to serve beside it until it stops
      """
    case .brokenHistory(let path, let missing):
      "\(path): later migrations are applied but \(missing) is not; restore a backup"
    case .pending(let path, let migrations):
      "\(path): not migrated yet: \(migrations.joined(separator: ", ")); run 'user-service migrate up'"
    case .migration(let fault):
      fault.description
    case .copy(let fault):
      fault.description
    case .storage(let path, let fault):
      fault.resultCode == 0
        ? "\(path): \(fault.advice) (\(fault.message))"
        : "\(path): \(fault.advice) (SQLite \(fault.resultCode): \(fault.message))"
    }
  }
}

extension StorageFault {
  /// What is wrong, and the remedy.
  package var advice: String {
    switch kind {
    case .busy: "another process holds the database; stop it or try again"
    case .full: "the disk is full; make room and try again"
    case .readOnly:
      "the file or its directory cannot be written; SQLite needs both, for its -wal and -shm files"
    case .corrupt: "the file is damaged; restore a backup"
    case .inputOutput: "the disk or file system failed"
    case .moved:
      "the database was deleted or replaced while it was open; stop the service, restore the right files, then start it"
    case .disconnected: "the server of the database cannot be used"
    case .notMigrated:
      "migrations were reverted while the service ran; run 'user-service migrate up'"
    case .unexpected: "unexpected failure"
    }
  }
}
